"""The commands around a run: run, presets, beam and clean."""

import os
import re
import textwrap
from pathlib import Path
from typing import Any, Optional

import click
import yaml

from crowdflow.config import Config, field_names, presets
from crowdflow.pipeline.cli import options
from crowdflow.storage import disk

_PRESET = click.option(
    "--preset",
    help="Preset to start from.  [default: what `crowdflow init` proposes for the data; "
    f"{presets.EMBEDDED} without data]",
)


@click.command()
@_PRESET
@options.CONFIG
@options.DATA
@click.option(
    "--root",
    help="Folder for everything the run writes.  [default: runs/<preset>, or runs/<name of the data>]",
)
@click.option(
    "--serving",
    metavar="FOLDER",
    help="Where models are pushed: local, s3:// or gs://.  [default: serving/crowdflow under the root]",
)
@click.option(
    "--push-unblessed",
    is_flag=True,
    help="Push the model even if it beats neither the naive forecasts nor the last pushed model.",
)
@options.SET
@options.MORE
@click.pass_context
def run(
    context: click.Context,
    preset: Optional[str],
    config_file: Optional[Path],
    data: tuple[str, ...],
    root: Optional[str],
    serving: Optional[str],
    push_unblessed: bool,
    settings: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Run the whole pipeline: ingest, validate, window, transform, train, evaluate, push, report.

    Unchanged steps are taken from the cache. Repeat the command to resume a killed run.

    With data but neither --preset nor --config, the settings are those that `crowdflow init` proposes. They are
    kept in proposed.yaml under the root, where you can change them; the next run takes them from there.

    \b
    Examples:
      crowdflow run
      crowdflow run --data trips/
      crowdflow run --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5 --root runs/nyc
      crowdflow run --set training.epochs=3 --set training.final_epochs=2 --set seed=7
      crowdflow run --config daily.yaml --data trips/ --set range.last_date=2019-08-31
      crowdflow run --config daily.yaml --data s3://city/trips --serving s3://city/serving/crowdflow
      crowdflow run -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Written under the root: report/index.html, summary.json for programs,
    serving/crowdflow/<version> for TensorFlow Serving, logs/.

    \b
    Exit codes: 0 a model was pushed, 1 the run failed, 2 the run completed and the model
    was refused.
    """
    paths, beam_args = options.split(data, more)
    config = _configured(preset, config_file, root, paths, options.parse(settings))
    given: dict[str, Any] = {"paths.data": paths} if paths else {}
    if serving:
        given["paths.serving"] = serving
    if push_unblessed:
        given["evaluation.push_unblessed"] = True
    from crowdflow.pipeline.local import runner as local_runner

    context.exit(local_runner.run(config.replace(given), beam_args))


@click.command()
@_PRESET
@options.CONFIG
@options.DATA
@click.option("--root", help="Folder for everything that is written.  [default: runs/<preset>]")
@click.option("--folds", default=4, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--step",
    "step_days",
    default=7,
    show_default=True,
    type=click.IntRange(1),
    help="Days from one fold's end to the next one's.",
)
@click.option(
    "--test-days",
    default=7,
    show_default=True,
    type=click.IntRange(1),
    help="Days at the end of each fold that judge.",
)
@options.SET
@options.MORE
@click.pass_context
def backtest(
    context: click.Context,
    preset: Optional[str],
    config_file: Optional[Path],
    data: tuple[str, ...],
    root: Optional[str],
    folds: int,
    step_days: int,
    test_days: int,
    settings: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Train anew at several dates of the history, and judge each model by days that it has not seen.

    One run of the pipeline a fold, the newest first. Repeat the command to resume; what did not change comes from
    the cache. Prints RMSE and MAE by fold beside the best naive forecast's, with mean and spread.

    \b
    Examples:
      crowdflow backtest --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5 --folds 3 --step 14 --test-days 14
      crowdflow backtest --data trips/ --folds 8
      crowdflow backtest --data trips/ --set windows.horizon=6 --root runs/six-hours

    Written under the root: backtest.json for programs, backtest.png, and every fold's model in folds/.

    Exit codes: 0 success, 1 a run failed.
    """
    paths, beam_args = options.split(data, more)
    config = _configured(preset, config_file, root, paths, options.parse(settings))
    from crowdflow.pipeline.local import backtest as local

    given = {"paths.data": paths} if paths else {}
    context.exit(local.backtest(config.replace(given), folds, step_days, test_days, beam_args))


def _configured(
    preset: Optional[str],
    config_file: Optional[Path],
    root: Optional[str],
    paths: list[str],
    settings: dict[str, Any],
) -> Config:
    """The configuration: a file's, a preset's, or the one proposed for the data; with its root."""
    if config_file:
        config = options.load(config_file)
    elif preset or not paths:
        config = presets.load(preset or presets.EMBEDDED)
    else:
        name = _name_of(paths[0])
        root = root or f"runs/{name}"
        config = _proposed(Path(root) / "proposed.yaml", name, paths, settings)
    config = config.replace(settings)
    return config.replace({"paths.root": root or config.paths.root or f"runs/{config.preset}"})


def _name_of(path: str) -> str:
    """A name for the data's configuration and root: that of the file or folder, in letters that suit both."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(path.rstrip("/")).name.split(".")[0].lower()).strip("-")
    return name or "data"


def _proposed(file: Path, name: str, paths: list[str], settings: dict[str, Any]) -> Config:
    """The configuration in a file, or the one that is proposed for the data, which is then kept there."""
    if file.exists():
        click.echo(f"settings: {file}, of an earlier run")
        return options.load(file)
    from crowdflow.ingest.inspection import proposal

    click.echo("settings: none given; proposing some from the data ...")
    text = proposal.as_yaml(proposal.propose(paths, {"preset": name, **settings}))
    click.echo(textwrap.indent(text, "  "), nl=False)
    with disk.clear_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(file)
    click.echo(f"settings: kept in {file} for the next run; change them there")
    return options.load(file)


@click.command("presets")
@click.option("--show", metavar="NAME", help="Print a preset's whole configuration as YAML.")
@click.option("--fields", is_flag=True, help="List every field that --set takes, with its default.")
def list_presets(show: Optional[str], fields: bool) -> None:
    """List the presets.

    \b
    Example: start your own configuration from a preset.
      crowdflow presets --show bikenyc > mine.yaml
      crowdflow run --config mine.yaml --data flows.parquet
    """
    if fields:
        for name, value in Config().values_of(field_names()).items():
            click.echo(f"{name} = {value}")
    elif show:
        click.echo(yaml.safe_dump(presets.load(show).to_dict(), sort_keys=False), nl=False)
    else:
        for name in presets.names():
            click.echo(f"{name:<14} {presets.describe(name)}")


@click.command("beam")
@click.argument("name", required=False)
def beam_options(name: Optional[str]) -> None:
    """Print Beam options for several processes or another runner, as part of a configuration.

    Without NAME, lists the available sets of options. Replace the words in capitals; docs/operations.md explains
    how the code gets to the workers.

    \b
    Example:
      crowdflow beam flink >> mine.yaml
      crowdflow run --config mine.yaml --data city/
    """
    from crowdflow.pipeline.cli import beam_presets

    if name is None:
        for known, preset in beam_presets.PRESETS.items():
            click.echo(f"{known:<16} {preset.description}")
    else:
        click.echo(beam_presets.as_yaml(name), nl=False)


@click.command()
@click.option(
    "--root",
    required=True,
    type=options.LocalPath(exists=True, file_okay=False),
    help="Root folder of the runs.",
)
@click.option(
    "--keep",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Number of runs and versions to keep.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
def clean(root: Path, keep: int, dry_run: bool) -> None:
    """Remove old artifacts, versions, checkpoints and logs; keep those of the last runs.

    \b
    Example:
      crowdflow clean --root runs/bikenyc --keep 5
    """
    from crowdflow.pipeline.local import cleanup

    with disk.clear_errors(root):
        for path, size in cleanup.clean(root, keep, dry_run):
            what = "would remove" if dry_run else "removed"
            click.echo(f"{what} {path} ({size / 2**20:.1f} MiB)")
