"""The `crowdflow` command. TensorFlow and TFX are imported only when a command needs them."""

import sys
from typing import Any, NoReturn

import click

from crowdflow.pipeline.cli import data, inspecting, kubeflow, running, scoring, serving
from crowdflow.schema.errors import CrowdFlowError
from crowdflow.schema.secrets import without_secrets


class _Commands(click.Group):
    """Reports every error as one message with exit code 1; click's own code, 2, means a refused model here."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}))
        except click.ClickException as error:
            error.message = without_secrets(error.message)
            error.show()
        except CrowdFlowError as error:
            click.secho(f"Error: {error}", fg="red", err=True)
        except click.Abort:
            click.secho("Interrupted.", fg="red", err=True)
        sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crowdflow")
def main() -> None:
    """Forecast a city's crowd flows: train ST-ResNet on flow records, push the model, use it.

    \b
    Try it on the built-in simulated city (a few minutes, no data needed):
      crowdflow run
    Run it on the paper's BikeNYC file:
      crowdflow run --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5
    """


for command in (
    running.run,
    running.backtest,
    data.ingest_files,
    serving.predict,
    serving.batch,
    scoring.score,
    data.simulate,
    data.grid,
    inspecting.inspect_files,
    inspecting.propose_configuration,
    kubeflow.compile_pipeline,
    kubeflow.submit,
    running.list_presets,
    running.beam_options,
    running.clean,
):
    main.add_command(command)
