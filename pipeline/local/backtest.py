"""Rolling origins: the same settings trained anew at several dates, each judged by the days before its end."""

import datetime as dt
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from crowdflow.config import Config
from crowdflow.evaluation.naive import best_naive
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.pipeline.local import runner
from crowdflow.pipeline.local.console import LABELS, errors_table
from crowdflow.pipeline.local.root import Root
from crowdflow.schema.features import NAIVE_FORECASTS
from crowdflow.storage import disk

RESULTS, PICTURE = "backtest.json", "backtest.png"


def backtest(
    config: Config, folds: int, step_days: int, test_days: int, beam_args: Sequence[str]
) -> int:
    """Runs the pipeline once for each fold, the newest first, and writes `backtest.json` and `backtest.png`.

    A fold ends on a date, its last `test_days` days judge, and everything before them trains. Folds share one
    root, so that the data are read once; a repeated command takes what did not change from the cache. Models are
    pushed to a folder of their fold and compared with the naive forecasts alone.

    Args:
      config: the settings; `paths.root` must be set.
      folds: how many.
      step_days: days from one fold's end to the next.
      test_days: days that judge a fold.
      beam_args: Beam options.

    Returns:
      Exit code: 0, or 1 where a run failed.
    """
    console, root = Console(highlight=False), Root(config.paths.root)
    results, last = [], config.split.until
    for number in range(folds):
        until = last and str(dt.date.fromisoformat(last) - dt.timedelta(days=number * step_days))
        console.print(f"fold {number + 1} of {folds}, up to {until or 'the end of the data'}")
        settings = {
            "split.until": until,
            "split.test_days": test_days,
            "split.test_start": None,
            "evaluation.refit": False,  # what it would push has seen the fold's test days
            "paths.serving": str(root.path / "folds" / (until or "newest") / "serving"),
        }
        if runner.run(config.replace(settings), beam_args) == runner.FAILED:
            return runner.FAILED
        summary = json.loads(root.summary.read_text(encoding="utf-8"))
        if last is None:
            until = last = summary["counters"]["frames"]["last_interval"][:10]
        results.append(
            {"until": until, "windows": summary["windows"], "metrics": summary["metrics"]}
        )
    outcome = {"config": config.public().to_dict(), "test_days": test_days, "folds": results}
    with disk.clear_errors(root.path):
        (root.path / RESULTS).write_text(json.dumps(outcome, indent=2), encoding="utf-8")
        draw(results, root.path / PICTURE)
    console.print(results_table(results))
    console.print(f"wrote {root.path / RESULTS} and {root.path / PICTURE}", soft_wrap=True)
    return runner.PUSHED


def results_table(results: Sequence[dict[str, Any]]) -> Table:
    """RMSE and MAE of the model by fold, beside the naive forecast with the smallest; then mean and spread."""
    title = "Trips per interval, over active cells, on the last days of each fold"
    table = errors_table(title, "fold up to", ("RMSE", "best naive", "MAE", "best naive"))
    columns: list[list[float]] = [[], [], [], []]
    for fold in results:
        row = [fold["until"]]
        for index, name in enumerate((RMSE_ACTIVE, MAE_ACTIVE)):
            best = best_naive(fold["metrics"], name)
            for offset, source in enumerate(("model", best)):
                columns[2 * index + offset].append(fold["metrics"][source][name])
                row.append(f"{fold['metrics'][source][name]:.3f}")
        table.add_row(*row)
    spread = [statistics.stdev(column) if len(column) > 1 else 0.0 for column in columns]
    cells = [f"{statistics.mean(c):.3f} ± {s:.3f}" for c, s in zip(columns, spread, strict=True)]
    table.add_section()
    table.add_row("mean ± spread", *cells, style="bold")
    return table


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """RMSE and MAE by fold, of the model and of every naive forecast, oldest fold first."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    folds = list(reversed(results))
    names = [fold["until"] for fold in folds]
    for axis, name, label in zip(
        figure.subplots(1, 2), (RMSE_ACTIVE, MAE_ACTIVE), ("RMSE", "MAE"), strict=True
    ):
        for source in ("model", *NAIVE_FORECASTS):
            values = [fold["metrics"][source][name] for fold in folds]
            look = {"lw": 2.2, "color": "black"} if source == "model" else {"lw": 1, "ls": "--"}
            axis.plot(names, values, marker="o", ms=3, label=LABELS[source], **look)
        axis.set_title(f"{label}, active cells, trips per interval", loc="left", fontsize=10)
        axis.tick_params(axis="x", rotation=45)
        axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=150)
