"""The `crowdflow` command. No TensorFlow and no TFX is imported before a run needs it."""

import itertools
import sys
from pathlib import Path
from typing import Any, NoReturn, Optional

import click
import yaml

from components.errors import ConfigError, CrowdFlowError
from pipeline import presets
from pipeline.config import Config, field_names

# Options of more than one command.
_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="A saved configuration instead.",
)
_DATA = click.option(
    "--data", multiple=True, metavar="PATH...", help="Input files, folders or patterns."
)
_SET = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting by its dotted name."
)


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


@main.command()
@click.option(
    "--preset", default=presets.EMBEDDED, show_default=True, help="Where the settings start."
)
@_CONFIG
@_DATA
@click.option("--root", help="Everything the run writes.  [default: runs/<preset>]")
@_SET
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[PATH...] [-- BEAM OPTIONS]")
@click.pass_context
def run(
    context: click.Context,
    preset: str,
    config_file: Optional[Path],
    data: tuple[str, ...],
    root: Optional[str],
    settings: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Runs the whole pipeline: ingest, validate, window, transform, train, evaluate, push, report.

    What has not changed is taken from cache, and a run that was killed goes on where it was.

    \b
    Examples:
      crowdflow run
      crowdflow run --preset bikenyc --data NYC14_M16x8_T60_NewEnd.h5 --root runs/nyc
      crowdflow run --set training.epochs=3 --set training.final_epochs=2 --set seed=7
      crowdflow run -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Under the root: report/index.html to look at, summary.json to read by program,
    serving/crowdflow/<version> for TensorFlow Serving, logs/.

    \b
    Exit codes: 0 a model was pushed, 2 the run completed and the model was refused,
    1 the run failed.
    """
    config = _load(config_file) if config_file else presets.load(preset)
    config = config.replace(dict(map(_parse_setting, settings)))
    paths = {"paths.root": root or config.paths.root or f"runs/{config.preset}"}
    more_data = list(itertools.takewhile(lambda text: not text.startswith("-"), more))
    if data or more_data:
        paths["paths.data"] = [*data, *more_data]
    from pipeline import local_runner

    context.exit(local_runner.run(config.replace(paths), more[len(more_data) :]))


def _load(path: Path) -> Config:
    try:
        return Config.load(path)
    except OSError as error:
        raise ConfigError(f"{path}: expected a saved configuration. {error.strerror}.") from None


def _parse_setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set: expected KEY=VALUE, such as seed=7. Received: {text!r}.")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {name}: expected a YAML value. Received: {value!r}.") from None


@main.command("ingest")
@click.option("--preset", help="Where the settings start.")
@_CONFIG
@_DATA
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write into.")
@_SET
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["parquet", "libcity"]),
    help="What to write; again for more. Parquet is always written.",
)
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[PATH...] [-- BEAM OPTIONS]")
def ingest_files(
    preset: Optional[str],
    config_file: Optional[Path],
    data: tuple[str, ...],
    out: Path,
    settings: tuple[str, ...],
    formats: tuple[str, ...],
    more: tuple[str, ...],
) -> None:
    """Turns raw trips (or trajectories, or flow records) into a table of flows, without a model.

    \b
    Examples:
      crowdflow ingest --preset citibike-jc --data JC-2019*.zip --out flows
      crowdflow ingest --data trips.parquet --out flows --set grid.rows=16 --set grid.cols=8 \\
        --set grid.south=40.7 --set grid.west=-74.02 --set grid.north=40.78 --set grid.east=-73.94
      crowdflow ingest --preset citibike-jc --data trips --out flows \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Writes flows.parquet (interval_start, row, col, inflow, outflow; zeros are left out),
    counters.json (what was read, counted and rejected, by reason) and rejects.csv (file, row,
    reason); with --format libcity, crowdflow.grid and crowdflow.geo too.

    Exit codes: 0 it is written, 1 it failed.
    """
    config = _load(config_file) if config_file else presets.load(preset) if preset else Config()
    more_data = list(itertools.takewhile(lambda text: not text.startswith("-"), more))
    paths = [*data, *more_data] or list(config.paths.data)
    if not paths:
        raise ConfigError("--data: expected files or folders. Received none.")
    config = config.replace({**dict(map(_parse_setting, settings)), "paths.data": paths})
    from pipeline import ingest

    ingest.log_to(click.echo)
    ingest.ingest(config, out, formats, more[len(more_data) :], click.echo)


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--rows", default=8, show_default=True, help="H, rows of the grid.")
@click.option("--cols", default=8, show_default=True, help="W, columns of the grid.")
@click.option("--minutes", default=60, show_default=True, help="Length of an interval.")
@click.option("--start", default="2024-04-01", show_default=True, help="First day, YYYY-MM-DD.")
@click.option("--days", default=70, show_default=True, help="Length of the span.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same city.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["parquet", "csv", "h5", "weather", "holidays", "trips"]),
    help="What to write; again for more.  [default: parquet, weather, holidays]",
)
def simulate(
    out: Path,
    rows: int,
    cols: int,
    minutes: int,
    start: str,
    days: int,
    seed: int,
    formats: tuple[str, ...],
) -> None:
    """Writes a simulated city's files into the folder OUT.

    \b
    Example:
      crowdflow simulate city --days 35 --seed 2
      crowdflow run --data city
    """
    from pipeline import simulated_city, simulated_files

    spec = simulated_city.CitySpec(
        rows=rows, cols=cols, minutes=minutes, start_date=start, days=days, seed=seed
    )
    for path in simulated_files.ensure_city(out, spec, formats or simulated_files.DEFAULT_FORMATS):
        click.echo(path)
    for name, value in simulated_city.describe(simulated_city.simulate(spec)).items():
        click.echo(f"{name}: {value}")


@main.command()
@click.option("--data", multiple=True, metavar="PATH...", help="Files of trips.")
@click.option(
    "--cell-metres", type=click.FloatRange(1), help="Side of a cell.  [default: proposed]"
)
@click.option(
    "--left-out",
    default=0.001,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="Share of starts and ends to leave out at each side of the box.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As in crowdflow run.")
@click.option(
    "--out", default="grid.png", show_default=True, type=click.Path(path_type=Path), help="The map."
)
@click.argument("more", nargs=-1, metavar="[PATH...]")
def grid(
    data: tuple[str, ...],
    cell_metres: Optional[float],
    left_out: float,
    settings: tuple[str, ...],
    out: Path,
    more: tuple[str, ...],
) -> None:
    """Proposes a grid from trips: prints the section `grid` of a configuration, and draws the map.

    \b
    Examples:
      crowdflow grid --data trips/
      crowdflow grid --data trips/*.zip --cell-metres 500 --out city.png
    """
    if not (data or more):
        raise ConfigError("--data: expected files of trips. Received none.")
    from components import grids
    from pipeline import grid_proposal

    config = Config().replace(dict(map(_parse_setting, settings)))
    found = grid_proposal.read_positions([*data, *more], config)
    weights = found.starts + found.ends
    proposed = grids.propose(found.latitude, found.longitude, weights, cell_metres, left_out)
    grid_proposal.draw(found, proposed, out)
    for line in grid_proposal.describe(found, proposed):
        click.echo(f"# {line}")
    click.echo(f"# map: {out}")
    click.echo(grid_proposal.as_yaml(proposed), nl=False)


@main.command("presets")
@click.option("--show", metavar="NAME", help="One preset's whole configuration, as YAML.")
@click.option("--fields", is_flag=True, help="Every name that --set takes.")
def list_presets(show: Optional[str], fields: bool) -> None:
    """Lists the presets.

    \b
    Example, a configuration of your own:
      crowdflow presets --show bikenyc > mine.yaml
      crowdflow run --config mine.yaml --data flows.parquet
    """
    if fields:
        values = Config().to_dict()
        for name in field_names():
            section, _, field = name.partition(".")
            click.echo(f"{name} = {values[section][field] if field else values[section]}")
    elif show:
        click.echo(yaml.safe_dump(presets.load(show).to_dict(), sort_keys=False), nl=False)
    else:
        for name in presets.names():
            click.echo(f"{name:<14} {presets.describe(name)}")


@main.command()
@click.option(
    "--root", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@click.option(
    "--keep",
    default=3,
    show_default=True,
    type=click.IntRange(1),
    help="Runs and versions to keep.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def clean(root: Path, keep: int, dry_run: bool) -> None:
    """Removes old artifacts, versions, checkpoints and logs, keeping those of the last runs.

    \b
    Example:
      crowdflow clean --root runs/bikenyc --keep 5
    """
    from pipeline import cleanup

    for path, size in cleanup.clean(root, keep, dry_run):
        click.echo(f"{'would remove' if dry_run else 'removed'} {path} ({size / 2**20:.1f} MiB)")


if __name__ == "__main__":
    sys.exit(main())
