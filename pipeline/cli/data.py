"""Commands that prepare data and need no model: ingest, simulate and grid."""

from pathlib import Path
from typing import Optional

import click

from crowdflow.config import Config, presets
from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError
from crowdflow.storage import disk


@click.command("ingest")
@click.option("--preset", help="Preset to start from.  [default: the default settings]")
@options.CONFIG
@options.DATA
@click.option("--out", required=True, type=options.LocalPath(), help="Output folder.")
@options.SET
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["parquet", "libcity", "geoparquet", "geojson"]),
    help="Output format, may be repeated. Parquet is always written.",
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
    """Turn raw trips, trajectories or flow records into a table of flows.

    \b
    Examples:
      crowdflow ingest --preset citibike-jc --data JC-2019*.zip --out trip-flows
      crowdflow ingest --data trips.parquet --out trip-flows --set grid.rows=16 --set grid.cols=8 \\
        --set grid.south=40.7 --set grid.west=-74.02 --set grid.north=40.78 --set grid.east=-73.94
      crowdflow ingest --preset citibike-jc --data trips --out trip-flows \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Writes flows.parquet (interval_start, row, col, inflow, outflow; zeros are left out),
    counters.json (records read and counted, and rejects by reason) and rejects.csv (file, row,
    reason); with --format libcity also crowdflow.grid and crowdflow.geo, and with geoparquet or
    geojson the same table with the cells as polygons.

    Exit codes: 0 success, 1 failure.
    """
    config = (
        options.load(config_file) if config_file else presets.load(preset) if preset else Config()
    )
    paths, beam_args = options.split(data, more)
    paths = paths or list(config.paths.data)
    if not paths:
        raise ConfigError("--data: expected files or folders. Received none.")
    config = config.replace({**options.parse(settings), "paths.data": paths})
    from crowdflow.ingest import flow_table as ingest

    ingest.log_to(click.echo)
    with disk.clear_errors(out):
        ingest.ingest(config, out, formats, beam_args, click.echo)


@click.command()
@click.argument("out", type=options.LocalPath())
@click.option("--rows", default=8, show_default=True, help="Rows of the grid.")
@click.option("--cols", default=8, show_default=True, help="Columns of the grid.")
@click.option("--minutes", default=60, show_default=True, help="Interval length in minutes.")
@click.option("--start", default="2024-04-01", show_default=True, help="First day, YYYY-MM-DD.")
@click.option("--days", default=70, show_default=True, help="Number of days.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same city.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["parquet", "csv", "h5", "weather", "holidays", "trips"]),
    help="Files to write, may be repeated.  [default: parquet, weather, holidays]",
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
    """Write a simulated city's files into the folder OUT.

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
    with disk.clear_errors(out):
        paths = simulated_files.ensure_city(out, spec, formats or simulated_files.DEFAULT_FORMATS)
    for path in paths:
        click.echo(path)
    for name, value in simulated_city.describe(simulated_city.simulate(spec)).items():
        click.echo(f"{name}: {value}")


@click.command()
@options.CONFIG
@click.option("--data", multiple=True, metavar="PATH...", help="Trip files or folders.")
@click.option(
    "--cell-metres", type=click.FloatRange(1), help="Side of a cell in metres.  [default: proposed]"
)
@click.option(
    "--left-out",
    default=0.001,
    show_default=True,
    type=click.FloatRange(0, 0.4),
    help="Share of starts and ends to leave outside each side of the box.",
)
@options.SET
@click.option(
    "--out",
    default="grid.png",
    show_default=True,
    type=options.LocalPath(),
    help="Output file of the map.",
)
@click.argument("more", nargs=-1, metavar="[PATH...]")
def grid(
    config_file: Optional[Path],
    data: tuple[str, ...],
    cell_metres: Optional[float],
    left_out: float,
    settings: tuple[str, ...],
    out: Path,
    more: tuple[str, ...],
) -> None:
    """Propose a grid for trips: print it as a configuration, and draw a map.

    With it comes the time zone of its box.

    \b
    Examples:
      crowdflow grid --data trips/ > city.yaml; crowdflow ingest --config city.yaml --data trips/ --out flows
      crowdflow grid --data trips/*.zip --cell-metres 500 --out city.png
    """
    if not (data or more):
        raise ConfigError("--data: expected files of trips. Received none.")
    from crowdflow.flows import grids
    from crowdflow.ingest import grid_proposal
    from crowdflow.ingest.times import zones
    from crowdflow.pipeline.cli import grid_map

    config = options.load(config_file) if config_file else Config()
    config = config.replace(options.parse(settings))
    found = grid_proposal.read_positions([*data, *more], config)
    weights = found.starts + found.ends
    proposed = grids.propose(found.latitude, found.longitude, weights, cell_metres, left_out)
    with disk.clear_errors(out):
        grid_map.draw(found, proposed, out)
    for line in grid_proposal.describe(found, proposed):
        click.echo(f"# {line}")
    zone = config.intervals.timezone or zones.proposed_zone(proposed)
    if zone is None:
        click.echo(
            f"# intervals.timezone: set it, the box has {' and '.join(zones.zones_in(proposed))}"
        )
    click.echo(f"# map: {out}")
    click.echo(grid_proposal.as_yaml(proposed, zone, config), nl=False)
