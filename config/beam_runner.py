"""The runner of Beam's data flows where no other is named: in this process, or in processes that it starts."""

import shutil
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

    Attributes:
      scratch: folders on this machine that a pipeline's workers share; they are removed when it has run.
    """

    def __init__(self):
        super().__init__()
        self.scratch: list[str] = []

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        runner = fn_runner.FnApiRunner(provision_info=fn_runner.ExtendedProvisionInfo(provision))
        try:
            return runner.run_pipeline(pipeline, options)
        finally:
            for folder in self.scratch:
                shutil.rmtree(folder, ignore_errors=True)


def with_runner(options: Sequence[str]) -> list[str]:
    """Beam options with the `LocalRunner` in front, where they name no runner, on either stack.

    Its workers run in no image. One is named all the same: without it each of TFX's nodes packs TFX anew for
    workers elsewhere, seconds of work and 45 MB that stay in the temporary folder.
    """
    named = PipelineOptions([*options]).view_as(StandardOptions).runner
    if named not in (None, StandardOptions.DEFAULT_RUNNER):
        return [*options]
    others = [
        option for option in options if option != f"--runner={StandardOptions.DEFAULT_RUNNER}"
    ]
    return [f"--runner={__name__}.{LocalRunner.__name__}", "--sdk_container_image=none", *others]
