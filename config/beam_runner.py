"""The runner of Beam's data flows where no other is named: in this process, or in processes that it starts."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.pipeline import Pipeline
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult, PipelineRunner


class LocalRunner(PipelineRunner):
    """Beam's FnApiRunner, which the DirectRunner was until Beam 2.67.

    Since then the DirectRunner tries Prism first, a program that it downloads, with other errors and counters.
    """

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        runner = fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
        return runner.run_pipeline(pipeline, options)


def with_runner(options: Sequence[str]) -> list[str]:
    """Beam options with the `LocalRunner` in front, where they name no runner, on either stack.

    Its workers run in no image. One is named all the same: without it each of TFX's nodes packs TFX anew for
    workers elsewhere, 5 s and 45 MB that stay in the temporary folder.
    """
    named = PipelineOptions([*options]).view_as(StandardOptions).runner
    if named not in (None, StandardOptions.DEFAULT_RUNNER):
        return [*options]
    return [f"--runner={__name__}.{LocalRunner.__name__}", "--sdk_container_image=none", *options]
