"""Commands that forecast with a pushed model: predict and batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import click

from crowdflow.config.stack import quiet_tensorflow
from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError
from crowdflow.storage import disk
from crowdflow.storage.addresses import is_address

_FROM = click.option("--from", "first", metavar="TIME", help="First target interval of a range.")
_TO = click.option(
    "--to",
    "last",
    metavar="TIME",
    help="Last target interval; a date alone means its last interval.",
)


_PAGE = click.option(
    "--page",
    type=options.LocalPath(),
    help="File for a page with a map and a time slider, .html; of a range, it shows the last week.",
)


@click.command()
@click.option(
    "--model",
    required=True,
    metavar="ADDRESS",
    help="Folder of pushed models (also s3:// or gs://), or http://host:8501 or grpc://host:8500; https:// and "
    "grpcs:// with TLS.",
)
@options.DATA
@options.SET_READING
@click.option(
    "--at",
    metavar="TIME",
    help="Target interval in local time, such as '2014-09-21 08:00'.  [default: the next]",
)
@_FROM
@_TO
@click.option(
    "--out",
    type=options.LocalPath(),
    multiple=True,
    help="File for the whole table: .csv, .parquet, or with the cells as polygons .geoparquet or .geojson; may be "
    "repeated.",
)
@click.option("--map", "picture", type=options.LocalPath(), help="File for a map, .png.")
@_PAGE
@click.option(
    "--name", default="crowdflow", show_default=True, help="Name of the model on a server."
)
@click.option("--version", type=int, help="Version of the model.  [default: the newest]")
@click.option("--label", help="Label of a version on a server, such as canary.")
@click.option("--timeout", default=30.0, show_default=True, help="Timeout of a request in seconds.")
@options.access
@click.argument("more", nargs=-1, metavar="[PATH...]")
def predict(
    model: str,
    data: tuple[str, ...],
    settings: tuple[str, ...],
    at: Optional[str],
    first: Optional[str],
    last: Optional[str],
    out: tuple[Path, ...],
    picture: Optional[Path],
    page: Optional[Path],
    name: str,
    version: Optional[int],
    label: Optional[str],
    timeout: float,
    more: tuple[str, ...],
    **access: Any,
) -> None:
    """Forecast flows from recent records with a pushed model, in a folder or on a server.

    \b
    Examples:
      crowdflow predict --model runs/tiny-city/serving/crowdflow --data runs/tiny-city/data --map next.png
      crowdflow predict --model http://localhost:8501 --data trips/ --at '2019-09-30 08:00'
      crowdflow predict --model https://forecasts.city:443 --token-file token --ca-file ca.pem --data trips/
      crowdflow predict --model grpc://localhost:8500 --data NYC14_M16x8_T60_NewEnd.h5 \\
        --from 2014-09-21 --to 2014-09-30 --out forecasts.parquet
      crowdflow predict --model runs/jc/serving/crowdflow --data trips/ --page forecast.html --out next.geojson

    --data takes the same files as crowdflow run: records of the last weeks, as far back as the model's lags reach
    (an average takes the weeks that there are), and the weather or holidays files that it needs; of files named by
    date as the training's (range.pattern), it opens the days needed. The last interval counts as complete. Grid,
    intervals and lags come from the model; --set changes how files are read. In a range, forecasts that miss a lag
    are left out and listed. Local times: an hour that clocks skip is no target, a repeated one has one forecast.

    Exit codes: 0 success, 1 no forecast could be made.
    """
    _require_data(paths := [*data, *more])
    if at and (first or last):
        raise ConfigError("--at: expected no --from or --to with it. Received both.")
    from crowdflow.serving import outputs, ranges
    from crowdflow.serving.connect import connect
    from crowdflow.serving.forecaster import Forecaster

    outputs.require_formats(out, picture, page)
    access |= {"name": name, "version": version, "label": label, "timeout": timeout}
    with quiet_tensorflow():
        forecaster = Forecaster(connect(model, **access))
    forecaster.config = forecaster.config.replace_reading(options.parse(settings))
    left_out = outputs.without_place(out, forecaster.config)
    history = forecaster.read(paths, ranges.span_of(at, first, last))
    forecast = forecaster.forecast(history, _targets(forecaster, history, at, first, last))
    click.echo("\n".join(outputs.describe(forecast)))
    for path in left_out:
        click.echo(f"left out: {path}, as the model's grid has no box and its cells no place")
    for path in (path for path in out if path not in left_out):
        _write(path, outputs.write_table, forecast.table(), path, forecaster.config)
    if picture:
        _write(picture, outputs.draw, forecast, picture)
    if page:
        _write_page(page, forecast, history.frames, forecaster.config)


def _write_page(page: Path, forecast: Any, frames: Any, config: Any) -> None:
    from crowdflow.serving.page import write_page

    _write(page, write_page, forecast, frames, config, page)


def _targets(
    forecaster: Any, history: Any, at: Optional[str], first: Optional[str], last: Optional[str]
) -> Any:
    """The first target intervals, wall-clock minutes."""
    from crowdflow.serving import ranges

    if not (first or last):
        return [ranges.parse(at) if at else forecaster.next_target(history)]
    minutes = forecaster.config.intervals.minutes
    requested = ranges.between(first, last, history.frames.starts, minutes)
    return ranges.keep_possible(forecaster, history, requested, click.echo)


def _write(path: Path, write: Callable[..., None], *arguments: Any) -> None:
    with disk.clear_errors(path):
        write(*arguments)
    click.echo(f"wrote {path}")


@click.command()
@click.option(
    "--model",
    required=True,
    metavar="FOLDER",
    help="Folder of pushed models, also s3:// or gs://.",
)
@options.DATA
@options.SET_READING
@_FROM
@_TO
@click.option("--version", type=int, help="Version of the model.  [default: the newest]")
@click.option("--out", required=True, type=options.LocalPath(), help="Output folder.")
@options.MAP_FORMAT
@_PAGE
@options.MORE
def batch(
    model: str,
    data: tuple[str, ...],
    settings: tuple[str, ...],
    first: Optional[str],
    last: Optional[str],
    version: Optional[int],
    out: Path,
    formats: tuple[str, ...],
    page: Optional[Path],
    more: tuple[str, ...],
) -> None:
    """Forecast a range of dates with Beam and a pushed model's folder; write Parquet.

    \b
    Examples:
      crowdflow batch --model runs/bikenyc/serving/crowdflow --data NYC14_M16x8_T60_NewEnd.h5 \\
        --from 2014-09-21 --to 2014-09-30 --out forecasts
      crowdflow batch --model runs/citibike-jc/serving/crowdflow --data trips weather.csv --out forecasts \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Writes forecasts-*.parquet (forecast_start, step, interval_start, row, col, inflow, outflow) and
    counters.json (forecasts made, and those left out by first missing lag); with --format also
    forecasts.geoparquet or forecasts.geojson, with the cells as polygons, and with --page a page of the last week.

    Exit codes: 0 success, 1 failure.
    """
    paths, beam_args = options.split(data, more)
    _require_data(paths)
    if "://" in model and not is_address(model):
        raise ConfigError(f"--model: expected a folder, also s3:// or gs://. Received: {model!r}.")
    with quiet_tensorflow():
        from crowdflow.serving import batch as jobs
        from crowdflow.serving.outputs import require_formats

        require_formats((), page=page)
    given = options.parse(settings)
    with disk.clear_errors(out):
        jobs.run(
            model, version, paths, first, last, out, beam_args, click.echo, given, formats, page
        )


def _require_data(paths: list[str]) -> None:
    if not paths:
        raise ConfigError("--data: expected files or folders of recent records. Received none.")
