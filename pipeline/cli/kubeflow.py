"""Commands for Kubeflow Pipelines: compile and submit."""

import sys
from pathlib import Path
from typing import Any, Optional

import click

from crowdflow.config import presets
from crowdflow.config.stack import IMAGE_STACK, STACK, quiet_tensorflow
from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError


@click.command("compile")
@click.option("--target", type=click.Choice(["kubeflow"]), required=True, help="The orchestrator.")
@click.option(
    "--output",
    required=True,
    type=options.LocalPath(dir_okay=False),
    help="YAML file to write.",
)
@click.option("--preset", default=presets.EMBEDDED, show_default=True, help="Preset to start from.")
@options.CONFIG
@options.DATA
@click.option("--image", metavar="NAME:TAG", help="Container image of the steps, by tag or digest.")
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    metavar="CLAIM:/FOLDER",
    help="A volume claim that every step mounts, may be repeated.",
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
    """Compile the pipeline for Kubeflow Pipelines into one YAML file.

    \b
    Examples:
      crowdflow compile --target kubeflow --output pipeline.yaml --preset bikenyc \\
        --image crowdflow:0.1.0 --volume crowdflow:/mnt/crowdflow --data /mnt/crowdflow/bikenyc
      crowdflow compile --target kubeflow --output pipeline.yaml --preset bikenyc \\
        --image crowdflow:0.1.0 --data s3://city/flows --set kubeflow.serving_folder=s3://city/serving \\
        --set kubeflow.checkpoints=s3://city/checkpoints
      crowdflow compile --target kubeflow --output pipeline.yaml --config mine.yaml \\
        --set kubeflow.trainer_gpus=1 --set 'kubeflow.nodes=[FlowExampleGen=8/32]'

    \b
    --data is the location as the steps see it: on a volume, or at s3:// or gs://. A run may set the
    parameters data, training (JSON), naive_margin and pushed_tolerance; all other settings, such as
    the image, the grid and the windows, are fixed in the file.

    Exit codes: 0 the file is written and meets every rule of Kubeflow Pipelines, 1 failure.
    """
    config = options.load(config_file) if config_file else presets.load(preset)
    paths, beam_args = options.split(data, more)
    given = options.parse(settings)
    if paths:
        given["paths.data"] = paths
    if image:
        given["kubeflow.image"] = image
    if volumes:
        given["kubeflow.volumes"] = list(volumes)
    config = config.replace(given)
    _require_kfp()
    with quiet_tensorflow():
        from crowdflow.pipeline.kubeflow import compiling as kubeflow_runner

        [spec, *_] = kubeflow_runner.compile_to(config, output, beam_args)
    if STACK != IMAGE_STACK:
        click.echo(
            f"note: compiled on the {STACK} stack of libraries; deploy/Dockerfile has {IMAGE_STACK}'s. The cache "
            "keys name the versions installed here: compile on the image's stack (make install STACK=...).",
            err=True,
        )
    click.echo(f"wrote {output}: {spec['pipelineInfo']['name']}, {config.kubeflow.image}")
    for name, entry in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        click.echo(f"parameter {name} = {entry['defaultValue']}")


def _require_kfp() -> None:
    import importlib.util

    if importlib.util.find_spec("kfp") is None:
        raise ConfigError("kfp is not installed. Install it: pip install 'crowdflow[kubeflow]'.")


@click.command()
@click.argument("file", type=options.LocalPath(dir_okay=False))
@click.option(
    "--endpoint",
    required=True,
    metavar="URL",
    help="Address of Kubeflow Pipelines' API, such as http://localhost:8888.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of the run, as listed by compile; may be repeated.",
)
@click.option(
    "--pipeline-root",
    metavar="URI",
    help="Where artifacts are stored: s3://, gs:// or minio://.  [default: the cluster's]",
)
@click.option(
    "--cron",
    metavar="TIMES",
    help="Schedule, such as '0 5 * * *'.  [default: run once, now]",
)
@click.option(
    "--scheduled-day",
    is_flag=True,
    help="With --cron: each run uses the data up to the day before its scheduled one.",
)
@click.option(
    "--catch-up",
    is_flag=True,
    help="With --cron: also run the times that were missed, each as of its day.",
)
@click.option(
    "--backfill",
    nargs=2,
    metavar="FROM TO",
    help="Run once for each day, one after the other, with the data up to that day.",
)
@click.option(
    "--experiment", default="crowdflow", show_default=True, help="Experiment that groups the runs."
)
@click.option(
    "--version-name", help="Name of the uploaded version.  [default: the time and the image]"
)
@click.option("--namespace", help="The user's namespace, if Kubeflow runs in multi-user mode.")
@options.access
def submit(
    file: Path,
    endpoint: str,
    parameters: tuple[str, ...],
    pipeline_root: Optional[str],
    cron: Optional[str],
    scheduled_day: bool,
    catch_up: bool,
    backfill: Optional[tuple[str, str]],
    experiment: str,
    version_name: Optional[str],
    namespace: Optional[str],
    **access: Any,
) -> None:
    """Upload a compiled pipeline to Kubeflow Pipelines and run it now or on a schedule.

    \b
    Examples:
      crowdflow submit pipeline.yaml --endpoint http://localhost:8888
      crowdflow submit pipeline.yaml --endpoint http://localhost:8888 \\
        --parameter 'training={"epochs": 20}' --parameter data=/mnt/crowdflow/flows
      crowdflow submit pipeline.yaml --endpoint http://localhost:8888 --cron '0 5 * * *'
      crowdflow submit pipeline.yaml --endpoint http://localhost:8888 --backfill 2026-11-20 2026-11-24

    \b
    If a pipeline of this name exists, the file becomes its new version. A schedule replaces the
    earlier one of the same name and never starts a run while another is active. A run that is late or
    repeated uses the newest data, unless --scheduled-day or --catch-up ties it to its day;
    --parameter last_date=2026-11-24 does so for one run. A back-fill waits for every run and stops at
    the first that fails. A model is not pushed over one that was trained on newer data.

    Exit codes: 0 submitted, 1 failure.
    """
    _require_kfp()
    from crowdflow.pipeline.kubeflow import submit as submitting
    from crowdflow.pipeline.kubeflow.backfill import days_between
    from crowdflow.serving.credentials import Access

    for name, given in (("--scheduled-day", scheduled_day), ("--catch-up", catch_up)):
        if given and not cron:
            raise ConfigError(f"{name}: expected --cron with it.")
    if cron and backfill:
        raise ConfigError("--backfill: expected no --cron with it. Submit the schedule afterwards.")
    submission = submitting.Submission(
        file=file,
        endpoint=endpoint.rstrip("/"),
        experiment=experiment,
        version=version_name,
        parameters=dict(map(_parameter, parameters)),
        pipeline_root=pipeline_root,
        cron=cron,
        scheduled_day=scheduled_day or catch_up,
        catch_up=catch_up,
        days=days_between(*backfill) if backfill else (),
        namespace=namespace,
        access=Access(**access),
    )
    out = sys.stdout  # submit() redirects sys.stdout to hide the client's own lines
    submitting.submit(submission, lambda line: click.echo(line, file=out))


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--parameter: expected NAME=VALUE. Received: {text!r}.")
    return name.strip(), value
