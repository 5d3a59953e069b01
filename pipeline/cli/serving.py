"""Commands that ask a pushed model: predict and batch."""

import os
from pathlib import Path
from typing import Optional

import click

from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError

_MODEL = click.option(
    "--model",
    required=True,
    metavar="ADDRESS",
    help="A folder of a pushed model (s3:// and gs:// too), or http://host:8501 or grpc://host:8500.",
)
_FROM = click.option("--from", "first", metavar="TIME", help="First target interval of a range.")
_TO = click.option(
    "--to", "last", metavar="TIME", help="Last one; a date alone is its last interval."
)


@click.command()
@_MODEL
@options.DATA
@click.option(
    "--at", metavar="TIME", help="Target interval, local: '2014-09-21 08:00'.  [default: the next]"
)
@_FROM
@_TO
@click.option("--out", type=options.LocalPath(), help="The whole table, as .csv or .parquet.")
@click.option("--map", "picture", type=click.Path(path_type=Path), help="A picture, as .png.")
@click.option("--name", default="crowdflow", show_default=True, help="Of the model on a server.")
@click.option("--version", type=int, help="Of the model.  [default: the newest]")
@click.option("--label", help="Of a version on a server, such as canary, instead.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds a request may take.")
@click.argument("more", nargs=-1, metavar="[PATH...]")
def predict(
    model: str,
    data: tuple[str, ...],
    at: Optional[str],
    first: Optional[str],
    last: Optional[str],
    out: Optional[Path],
    picture: Optional[Path],
    name: str,
    version: Optional[int],
    label: Optional[str],
    timeout: float,
    more: tuple[str, ...],
) -> None:
    """Forecasts flows from recent records and a pushed model, in a folder or on a server.

    \b
    Examples:
      crowdflow predict --model runs/tiny-city/serving/crowdflow --data runs/tiny-city/data --map next.png
      crowdflow predict --model http://localhost:8501 --data trips/ --at '2019-09-30 08:00'
      crowdflow predict --model grpc://localhost:8500 --data NYC14_M16x8_T60_NewEnd.h5 \\
        --from 2014-09-21 --to 2014-09-30 --out forecasts.parquet

    The data are what crowdflow run takes: records of the last weeks, as far back as the model looks, and the
    weather or holidays files that it needs. Their last interval is taken as whole. Grid, intervals and lags are
    the model's own. In a range, forecasts that miss an earlier interval are left out and listed.

    Exit codes: 0 there is a forecast, 1 there is none.
    """
    paths = _paths(data, more)
    if at and (first or last):
        raise ConfigError("--at: expected it alone, or --from and --to. Received both.")
    from crowdflow.serving import outputs, ranges
    from crowdflow.serving.connect import connect
    from crowdflow.serving.forecaster import Forecaster

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    outputs.require_formats(out, picture)
    forecaster = Forecaster(
        connect(model, name=name, version=version, label=label, timeout=timeout)
    )
    history = forecaster.read(paths)
    minutes = forecaster.config.intervals.minutes
    if first or last:
        wanted = ranges.between(first, last, history.frames.starts, minutes)
        targets = ranges.keep_possible(forecaster, history, wanted, click.echo)
    else:
        targets = [ranges.parse(at) if at else forecaster.next_target(history)]
    forecast = forecaster.forecast(history, targets)
    for line in outputs.describe(forecast):
        click.echo(line)
    if out:
        outputs.write_table(forecast.table(), out)
        click.echo(f"wrote {out}")
    if picture:
        outputs.draw(forecast, picture)
        click.echo(f"wrote {picture}")


@click.command()
@_MODEL
@options.DATA
@_FROM
@_TO
@click.option("--version", type=int, help="Of the model.  [default: the newest]")
@click.option("--out", required=True, type=options.LocalPath(), help="Folder to write into.")
@options.MORE
def batch(
    model: str,
    data: tuple[str, ...],
    first: Optional[str],
    last: Optional[str],
    version: Optional[int],
    out: Path,
    more: tuple[str, ...],
) -> None:
    """Forecasts a range of dates with Beam and a pushed model's folder, to Parquet.

    \b
    Examples:
      crowdflow batch --model runs/bikenyc/serving/crowdflow --data NYC14_M16x8_T60_NewEnd.h5 \\
        --from 2014-09-21 --to 2014-09-30 --out forecasts
      crowdflow batch --model runs/citibike-jc/serving/crowdflow --data trips weather.csv --out forecasts \\
        -- --direct_running_mode=multi_processing --direct_num_workers=2

    \b
    Writes forecasts-*.parquet (forecast_start, step, interval_start, row, col, inflow, outflow) and
    counters.json (forecasts, and those left out by the first interval they miss).

    Exit codes: 0 it is written, 1 it failed.
    """
    more_data, beam_args = options.split(more)
    paths = _paths(data, more_data)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from crowdflow.serving import batch as jobs

    jobs.run(model, version, paths, first, last, out, beam_args, click.echo)


def _paths(data: tuple[str, ...], more: tuple[str, ...] | list[str]) -> list[str]:
    if not (data or more):
        raise ConfigError("--data: expected files or folders of recent records. Received none.")
    return [*data, *more]
