"""The commands that say what files are, and which configuration they need: inspect and init."""

from pathlib import Path
from typing import Optional

import click
import yaml

from crowdflow.config import Config
from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError, DataError


@click.command("inspect")
@click.option("--data", multiple=True, metavar="PATH...", help="Files or folders.")
@options.CONFIG
@options.SET
@click.argument("more", nargs=-1, metavar="[FILE...]")
def inspect_files(
    data: tuple[str, ...],
    config_file: Optional[Path],
    settings: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Say what files are, what an ingest would reject, and which settings they need.

    \b
    Examples:
      crowdflow inspect trips.csv stations.csv
      crowdflow inspect trips.csv --set trips.date_order=day_first

    Reads every row, and writes nothing. Without a box of the grid, one is proposed and used for the rejects.

    Exit codes: 0 all files can be used, 1 some cannot.
    """
    if not (data or more):
        raise ConfigError("FILE: expected files or folders. Received none.")
    from crowdflow.ingest.inspection import report

    given = options.parse(settings)
    config = (options.load(config_file) if config_file else Config()).replace(given)
    found = report.inspect([*data, *more], config)
    for line in found.lines:
        click.echo(line)
    if proposed := {**config.values_of(given), **found.settings}:
        click.echo("settings, as a file for --config:")
        click.echo(yaml.safe_dump(_nested(proposed), sort_keys=False), nl=False)
        click.echo("or as options:")
        click.echo(" ".join(f"--set {_quoted(name, value)}" for name, value in proposed.items()))
    if found.problems:
        raise DataError("\n".join(found.problems))


@click.command("init")
@click.option("--data", multiple=True, metavar="PATH...", help="Files or folders.")
@options.SET
@click.argument("more", nargs=-1, metavar="[PATH...]")
def propose_configuration(
    data: tuple[str, ...], settings: tuple[str, ...], more: tuple[str, ...]
) -> None:
    """Propose a whole configuration for data, every choice with its reason, and print it.

    The grid, the time zone and its country's holidays, the interval, the bound of flows, the lags and the test
    days come from the data; network and training are the best known ones.

    \b
    Examples:
      crowdflow init --data trips/ > mycity.yaml
      crowdflow run --config mycity.yaml --data trips/
      crowdflow init --data trips/ --set preset=mycity --set intervals.minutes=15 > mycity.yaml
    """
    if not (data or more):
        raise ConfigError("--data: expected files or folders. Received none.")
    from crowdflow.ingest.inspection import proposal

    choices = proposal.propose([*data, *more], options.parse(settings))
    click.echo(proposal.as_yaml(choices), nl=False)


def _nested(settings: dict) -> dict:
    nested: dict = {}
    for name, value in settings.items():
        section, _, field = name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[field] = value
    return nested


def _quoted(name: str, value: object) -> str:
    import shlex

    text = yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()
    return shlex.quote(f"{name}={text}")
