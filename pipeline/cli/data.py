"""Commands about data, without a model: ingest, simulate and grid."""

from pathlib import Path
from typing import Optional

import click

from crowdflow.config import Config, presets
from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError


@click.command("ingest")
@click.option("--preset", help="Where the settings start.")
@options.CONFIG
@options.DATA
@click.option("--out", required=True, type=options.LocalPath(), help="Folder to write into.")
@options.SET
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["parquet", "libcity"]),
    help="What to write; again for more. Parquet is always written.",
)
@options.MORE
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
      crowdflow ingest --preset citibike-jc --data JC-2019*.zip --out trip-flows
      crowdflow ingest --data trips.parquet --out trip-flows --set grid.rows=16 --set grid.cols=8 \\
        --set grid.south=40.7 --set grid.west=-74.02 --set grid.north=40.78 --set grid.east=-73.94
      crowdflow ingest --preset citibike-jc --data trips --out trip-flows \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Writes flows.parquet (interval_start, row, col, inflow, outflow; zeros are left out),
    counters.json (what was read, counted and rejected, by reason) and rejects.csv (file, row,
    reason); with --format libcity, crowdflow.grid and crowdflow.geo too.

    Exit codes: 0 it is written, 1 it failed.
    """
    config = (
        options.load(config_file) if config_file else presets.load(preset) if preset else Config()
    )
    more_data, beam_args = options.split(more)
    paths = [*data, *more_data] or list(config.paths.data)
    if not paths:
        raise ConfigError("--data: expected files or folders. Received none.")
    config = config.replace({**options.parse(settings), "paths.data": paths})
    from crowdflow.ingest import flow_table as ingest

    ingest.log_to(click.echo)
    ingest.ingest(config, out, formats, beam_args, click.echo)


@click.command()
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
    from crowdflow.simulation import city as simulated_city
    from crowdflow.simulation import files as simulated_files

    spec = simulated_city.CitySpec(
        rows=rows, cols=cols, minutes=minutes, start_date=start, days=days, seed=seed
    )
    for path in simulated_files.ensure_city(out, spec, formats or simulated_files.DEFAULT_FORMATS):
        click.echo(path)
    for name, value in simulated_city.describe(simulated_city.simulate(spec)).items():
        click.echo(f"{name}: {value}")


@click.command()
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
    from crowdflow.flows import grids
    from crowdflow.ingest import grid_proposal
    from crowdflow.pipeline.cli import grid_map

    config = Config().replace(options.parse(settings))
    found = grid_proposal.read_positions([*data, *more], config)
    weights = found.starts + found.ends
    proposed = grids.propose(found.latitude, found.longitude, weights, cell_metres, left_out)
    grid_map.draw(found, proposed, out)
    for line in grid_proposal.describe(found, proposed):
        click.echo(f"# {line}")
    click.echo(f"# map: {out}")
    click.echo(grid_proposal.as_yaml(proposed), nl=False)
