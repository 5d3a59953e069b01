"""The command that compares forecasts with what then came."""

import json
import sys
from pathlib import Path
from typing import Any, Optional

import click

from crowdflow.pipeline.cli import options
from crowdflow.schema.errors import ConfigError
from crowdflow.storage import disk

_ABOVE = 2


@click.command()
@click.option(
    "--forecasts",
    multiple=True,
    required=True,
    metavar="PATH",
    help="Files or folders of forecasts, may be repeated.",
)
@options.DATA
@click.option(
    "--model", metavar="FOLDER", help="Folder of the model that made them, also s3:// or gs://."
)
@click.option("--version", type=int, help="Version of the model.  [default: the newest]")
@options.CONFIG
@options.SET_READING
@click.option("--out", type=options.LocalPath(), help="File for everything, .json.")
@click.option("--picture", type=options.LocalPath(), help="File for a picture, .png, .svg or .pdf.")
@click.option(
    "--prometheus",
    type=options.LocalPath(),
    metavar="FILE",
    help="File for node_exporter's textfile collector, .prom.",
)
@click.option("--max-rmse", type=float, help="Exit with 2 if the RMSE is above this.")
@click.option(
    "--max-ratio", type=float, help="Exit with 2 if the RMSE is above this times the best naive's."
)
@click.argument("more", nargs=-1, metavar="[PATH...]")
def score(
    forecasts: tuple[str, ...],
    data: tuple[str, ...],
    model: Optional[str],
    version: Optional[int],
    config_file: Optional[Path],
    settings: tuple[str, ...],
    out: Optional[Path],
    picture: Optional[Path],
    prometheus: Optional[Path],
    max_rmse: Optional[float],
    max_ratio: Optional[float],
    more: tuple[str, ...],
) -> None:
    """Compare forecasts that were made with what then came, beside the naive forecasts.

    \b
    Examples:
      crowdflow batch --model runs/citibike-jc/serving/crowdflow --data trips --out forecasts
      crowdflow score --forecasts forecasts --data trips --model runs/citibike-jc/serving/crowdflow
      crowdflow score --forecasts yesterday.parquet --data trips --model serving/crowdflow \\
        --prometheus /var/lib/node_exporter/crowdflow.prom --max-ratio 1

    \b
    --forecasts are tables as predict --out and batch write them. --data are the records, with the
    weeks before for the naive forecasts; grid, intervals and how files are read come from --model or
    --config. A step whose interval has no record, or that lacks cells, is counted and not scored.

    Exit codes: 0 success, 1 failure, 2 the error is above --max-rmse or --max-ratio.
    """
    paths = [*data, *more]
    if not paths:
        raise ConfigError("--data: expected files or folders of records. Received none.")
    if (model is None) == (config_file is None):
        raise ConfigError("--model: expected it or --config, for the grid and the intervals.")
    from crowdflow.serving.scoring import score_files

    given = options.load(config_file) if config_file else None
    found = score_files(forecasts, paths, model, version, given, options.parse(settings))
    _show(found, out, picture, prometheus)
    _check(found, max_rmse, max_ratio)


def _show(
    found: dict[str, Any], out: Optional[Path], picture: Optional[Path], prometheus: Optional[Path]
) -> None:
    """Prints the score and writes the files."""
    from rich.console import Console

    from crowdflow.pipeline.local import scoring

    console = Console(highlight=False)
    for line in scoring.lines(found):
        click.echo(line)
    console.print(scoring.results_table(found))
    console.print(scoring.days_table(found))
    for path, write in (
        (out, lambda path: path.write_text(json.dumps(found, indent=2), encoding="utf-8")),
        (prometheus, lambda path: path.write_text(scoring.prometheus(found), encoding="utf-8")),
        (picture, lambda path: scoring.draw(found, path, picture.suffix[1:])),
    ):
        if path:
            with disk.clear_errors(path), disk.whole_file(path) as partial:
                write(partial)
            click.echo(f"wrote {path}")


def _check(found: dict[str, Any], max_rmse: Optional[float], max_ratio: Optional[float]) -> None:
    """Exits with 2 if the RMSE is above a bound."""
    from crowdflow.evaluation.naive import best_naive
    from crowdflow.flows.metrics import RMSE_ACTIVE

    rmse, naive = (
        found["metrics"][source][RMSE_ACTIVE] for source in ("model", best_naive(found["metrics"]))
    )
    bounds = {
        f"--max-rmse {max_rmse}": max_rmse,
        f"--max-ratio {max_ratio} times {naive:.4f}": max_ratio and max_ratio * naive,
    }
    for words, bound in bounds.items():
        if bound is not None and rmse > bound:
            click.secho(f"RMSE {rmse:.4f} is above {words}", fg="red", err=True)
            sys.exit(_ABOVE)
