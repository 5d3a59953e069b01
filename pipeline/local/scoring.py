"""A score for people and for programs: lines and a table, a picture, and metrics for Prometheus."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.score import BIAS, MODEL, SCORED, SOURCES
from crowdflow.flows.metrics import MAE_ACTIVE, RMSE_ACTIVE
from crowdflow.pipeline.local.console import LABELS, errors_table
from crowdflow.schema.intervals import MINUTES_PER_DAY, from_datetime64

_COLUMNS = {RMSE_ACTIVE: "RMSE", MAE_ACTIVE: "MAE", BIAS: "bias"}
_NAMES = {**LABELS, MODEL: "the forecasts"}
_MOST_DAYS = 14


def lines(score: dict[str, Any]) -> Iterator[str]:
    """What was scored, and what was left out."""
    yield f"{score[SCORED]:,} steps scored, {score['first']} to {score['last']}"
    for reason, count in score["left_out"].items():
        yield f"{count:,} steps left out: {reason}"
    days = score["intervals_without_record"].items()
    for day, count in list(days)[:_MOST_DAYS]:
        yield f"  {day}: {count} forecasts without a record"
    if len(days) > _MOST_DAYS:
        yield f"  and {len(days) - _MOST_DAYS} more days"


def results_table(score: dict[str, Any]) -> Table:
    """Errors of the forecasts and of every naive one."""
    title = "Trips per interval, over active cells"
    table = errors_table(title, "forecast", _COLUMNS.values())
    for source in SOURCES:
        values = [f"{score['metrics'][source][name]:.3f}" for name in _COLUMNS]
        table.add_row(_NAMES[source], *values, style="bold" if source == MODEL else "")
    return table


def days_table(score: dict[str, Any]) -> Table:
    """Errors of the last days beside the naive forecast with the smallest RMSE over all days."""
    best = best_naive(score["metrics"])
    columns = ("steps", "RMSE", "naive", "MAE", "naive", "bias")
    table = errors_table(f"By day, beside the best naive forecast ({_NAMES[best]})", "day", columns)
    for day, found in list(score["by_day"].items())[-_MOST_DAYS:]:
        row = [str(found[SCORED])]
        for name in (RMSE_ACTIVE, MAE_ACTIVE):
            row += [f"{found[source][name]:.3f}" for source in (MODEL, best)]
        table.add_row(day, *row, f"{found[MODEL][BIAS]:+.3f}")
    return table


def draw(score: dict[str, Any], path: Path, form: str) -> None:
    """RMSE by day and by hour beside the best naive forecast, and by cell; `form` is `png`, `svg` or `pdf`."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    by_day, by_hour, by_cell = figure.subplots(1, 3, width_ratios=(3, 2, 1.6))
    best = best_naive(score["metrics"])
    for axis, groups in ((by_day, score["by_day"]), (by_hour, score["by_hour"])):
        for source, look in ((MODEL, {"color": "black", "lw": 2}), (best, {"ls": "--", "lw": 1.3})):
            values = [found[source][RMSE_ACTIVE] for found in groups.values()]
            axis.plot(list(groups), values, marker="o", ms=3, label=_NAMES[source], **look)
        axis.set_ylim(bottom=0)
    step = max(1, len(score["by_day"]) // 10)
    by_day.set_xticks(range(0, len(score["by_day"]), step))
    by_day.tick_params(axis="x", rotation=45)
    by_day.set_title("RMSE by day, active cells, trips per interval", loc="left", fontsize=10)
    by_day.legend(fontsize=8)
    by_hour.set_xticks(range(0, len(score["by_hour"]), 3))
    by_hour.set_title("RMSE by hour", loc="left", fontsize=10)
    image = by_cell.imshow(np.array(score["by_cell"][RMSE_ACTIVE]), cmap="viridis", vmin=0)
    by_cell.set_title("RMSE by cell, row 0 is north", loc="left", fontsize=10)
    figure.colorbar(image, ax=by_cell)
    figure.savefig(path, dpi=130, format=form)


def live_prometheus(live: dict[str, Any], minutes: int) -> str | None:
    """The gauges of `prometheus` for what the last pushed model did on the days since its push.

    Args:
      live: the section `live` of `summary.json`.
      minutes: length of an interval.

    Returns:
      None where no day has figures.
    """
    found = live["verdict"]
    if not found:
        return None
    end = np.datetime64(found["last"]) + np.timedelta64(MINUTES_PER_DAY - minutes, "m")
    score = {**found, "left_out": {"": found["left_out"]}, "last": str(end)}
    promise, further = found["promise"], {}
    if promise:
        further = {
            "promised_rmse": (
                "RMSE of the model's own test windows, trips per interval",
                promise[RMSE_ACTIVE],
            ),
            "allowed_rmse": (
                "RMSE above which the model does worse than its test promised",
                found["allowed"],
            ),
        }
    return prometheus(score, further)


def prometheus(
    score: dict[str, Any], further: Mapping[str, tuple[str, float]] = MappingProxyType({})
) -> str:
    """Metrics for the textfile collector of Prometheus' node_exporter.

    Args:
      score: see `evaluation.score`.
      further: more gauges: name -> what it is, and its value.
    """
    gauges: list[tuple[str, str, dict[str, float]]] = [
        (
            f"crowdflow_forecast_{label.lower()}",
            f"{label} of the forecasts and of the naive ones, trips per interval, over active cells",
            {f'{{source="{source}"}}': score["metrics"][source][name] for source in SOURCES},
        )
        for name, label in _COLUMNS.items()
    ]
    last = from_datetime64(np.datetime64(score["last"].replace(" ", "T")))
    more = [
        (f"crowdflow_forecast_{name}", words, {"": value})
        for name, (words, value) in further.items()
    ]
    gauges += [
        (
            "crowdflow_forecast_steps_scored",
            "Steps of forecasts that were scored",
            {"": score[SCORED]},
        ),
        (
            "crowdflow_forecast_steps_left_out",
            "Steps of forecasts that could not be scored",
            {"": sum(score["left_out"].values())},
        ),
        (
            "crowdflow_forecast_last_interval_minutes",
            "Last scored interval, minutes since 1970 by the city's clock",
            {"": int(last)},
        ),
    ]
    parts = []
    for name, words, values in [*gauges, *more]:
        parts += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
        parts += [f"{name}{labels} {value:.10g}" for labels, value in values.items()]
    return "\n".join(parts) + "\n"
