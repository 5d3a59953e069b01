"""The `crowdflow` command. No TensorFlow and no TFX is imported before a run needs it."""

import sys
from typing import Any, NoReturn

import click

from crowdflow.pipeline.cli import data, kubeflow, running, serving
from crowdflow.schema.errors import CrowdFlowError


class _Commands(click.Group):
    """Turns every error into one message and exit code 1; click's own 2 says here that a model was refused."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}))
        except click.ClickException as error:
            error.show()
        except CrowdFlowError as error:
            click.secho(f"Error: {error}", fg="red", err=True)
        except click.Abort:
            click.secho("Interrupted.", fg="red", err=True)
        sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crowdflow")
def main() -> None:
    """Forecasts a city's crowd flows: from flow records to a pushed ST-ResNet model.

    \b
    Try it on the embedded simulated city (a few minutes, no data needed):
      crowdflow run
    On the paper's BikeNYC file:
      crowdflow run --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5
    """


for command in (
    running.run,
    data.ingest_files,
    serving.predict,
    serving.batch,
    data.simulate,
    data.grid,
    kubeflow.compile_pipeline,
    kubeflow.submit,
    running.list_presets,
    running.beam_options,
    running.clean,
):
    main.add_command(command)
