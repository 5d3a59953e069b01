"""Commands for Kubeflow Pipelines: compile and submit."""

import os
from pathlib import Path
from typing import Optional

import click

from components.errors import ConfigError
from pipeline import presets
from pipeline.cli import options


@click.command("compile")
@click.option("--target", type=click.Choice(["kubeflow"]), required=True, help="What is to run it.")
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML to write.",
)
@click.option(
    "--preset", default=presets.EMBEDDED, show_default=True, help="Where the settings start."
)
@options.CONFIG
@options.DATA
@click.option("--image", metavar="NAME:TAG", help="Container image of the steps, by tag or digest.")
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    metavar="CLAIM:/FOLDER",
    help="A volume claim that every step mounts; again for more.",
)
@options.SET
@options.MORE
def compile_pipeline(
    target: str,
    output: Path,
    preset: str,
    config_file: Optional[Path],
    data: tuple[str, ...],
    image: Optional[str],
    volumes: tuple[str, ...],
    settings: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Compiles the pipeline for Kubeflow Pipelines: one YAML file.

    \b
    Examples:
      crowdflow compile --target kubeflow --output pipeline.yaml --preset bikenyc \\
        --image crowdflow:0.1.0 --volume crowdflow:/mnt/crowdflow --data /mnt/crowdflow/bikenyc
      crowdflow compile --target kubeflow --output pipeline.yaml --config mine.yaml \\
        --set kubeflow.trainer_gpus=1 --set 'kubeflow.nodes=[FlowExampleGen=8/32]'

    \b
    The data are where the steps see them: on a volume. A run may set the parameters data, training
    (JSON), naive_margin and pushed_tolerance; the image, the grid and the windows are fixed here.

    Exit codes: 0 it is written and keeps every rule of Kubeflow Pipelines, 1 it is not written.
    """
    config = options.load(config_file) if config_file else presets.load(preset)
    more_data, beam_args = options.split(more)
    given = options.parse(settings)
    if data or more_data:
        given["paths.data"] = [*data, *more_data]
    if image:
        given["kubeflow.image"] = image
    if volumes:
        given["kubeflow.volumes"] = list(volumes)
    config = config.replace(given)
    _require_kfp()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline import kubeflow_runner

    [spec, *_] = kubeflow_runner.compile_to(config, output, beam_args)
    click.echo(f"wrote {output}: {spec['pipelineInfo']['name']}, {config.kubeflow.image}")
    for name, entry in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        click.echo(f"parameter {name} = {entry['defaultValue']}")


def _require_kfp() -> None:
    import importlib.util

    if importlib.util.find_spec("kfp") is None:
        raise ConfigError("kfp: not installed. pip install 'crowdflow[kubeflow]' brings it.")
