"""The report's section on the live record: how the pushed models did on the days after their pushes."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
from matplotlib import dates
from matplotlib.figure import Figure

from crowdflow.components.flow_report import theme
from crowdflow.evaluation.live import candidate_in_words, in_words, newest
from crowdflow.evaluation.score import BIAS, MODEL
from crowdflow.flows.metrics import RMSE_ACTIVE

_NAME = "live"
_SHOWN = 14  # days in the table
_DAY = dt.timedelta(days=1)


def live_section(live: Optional[Mapping[str, Any]], unit: str) -> Optional[dict[str, Any]]:
    """What the section shows.

    Args:
      live: the content of LastPushedModel's `live.json`, or None where it is unknown.
      unit: of a flow, in words.

    Returns:
      `verdict`, `worse`, `candidate`, `picture` (None without a day), `rows` (the last days) and `unit`; None
      where `live` is None.
    """
    if live is None:
        return None
    days = newest(live["record"])
    title = "RMSE of the pushed models, day by day"
    caption = (
        "Over active cells. Each day is forecast by the model that was pushed last before it, each interval from "
        "those before. The dotted line is what that model's test promised; dots change their shade with the "
        "version. Lines break and days are shaded where too little was recorded to tell."
    )
    picture = None
    if days:
        with theme.style():
            svg = theme.inline_svg(live_curve(days, unit), _NAME, f"{title}. {caption}")
        picture = {"name": _NAME, "title": title, "caption": caption, "svg": svg, "basis": None}
    return {
        "verdict": in_words(live).removeprefix("live: "),
        "worse": bool(live["verdict"] and live["verdict"]["worse"]),
        "candidate": candidate_in_words(live),
        "picture": picture,
        "rows": [_row(line) for line in days[-_SHOWN:]],
        "unit": unit,
    }


def live_curve(days: Sequence[Mapping[str, Any]], unit: str) -> Figure:
    """RMSE by day of the model, of the best naive forecast, and the promise; days without figures are shaded.

    Args:
      days: the record's lines, one a day, ascending.
      unit: of a flow, in words.
    """
    at = {dt.datetime.fromisoformat(line["day"]): line for line in days}
    first, last = min(at), max(at)
    every = [first + n * _DAY for n in range((last - first).days + 1)]

    def values(of) -> np.ndarray:
        lines = (at.get(day) for day in every)
        return np.array([of(line) if line and not line["gap"] else np.nan for line in lines], float)

    figure = Figure(figsize=(11.6, 3.9), layout="constrained")
    axis = figure.subplots()
    model = values(lambda line: line["metrics"][MODEL][RMSE_ACTIVE])
    naive = values(lambda line: line["metrics"][line["best_naive"]][RMSE_ACTIVE])
    promise = values(lambda line: (line["promise"] or {}).get(RMSE_ACTIVE, np.nan))
    look = {"color": theme.color("weeks_and_days"), "lw": 1.4, "ls": "--", "marker": "o", "ms": 2.5}
    axis.plot(every, naive, label="Best naive forecast of the day", **look)
    axis.step(
        every, promise, where="mid", color=theme.LIGHT["ink"], lw=1.2, ls=":", label="Promised by its test",
        marker="_", ms=9,
    )  # fmt: skip
    axis.plot(every, model, color=theme.color("model"), lw=2.2, label="Pushed model", zorder=3)
    versions = list(dict.fromkeys(line["version"] for line in days))
    for parity, token in enumerate(("model", "last_pushed")):
        mine = [d for d, line in at.items() if versions.index(line["version"]) % 2 == parity]
        rows = [(day - first).days for day in mine]
        axis.plot(mine, model[rows], "o", ms=5, color=theme.color(token), zorder=4)
    for day, value in zip(every, model):
        if np.isnan(value):
            axis.axvspan(day - _DAY / 2, day + _DAY / 2, color=theme.LIGHT["band"], lw=0, zorder=0)
    axis.set_xlim(first - _DAY * 0.6, last + _DAY * 0.6)
    axis.set_ylim(bottom=0)
    axis.set_ylabel(f"RMSE, active cells, {unit}")
    locator = dates.DayLocator() if len(every) < 15 else dates.AutoDateLocator(maxticks=10)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(dates.DateFormatter("%-d %b"))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    """A day of the table: texts, and the tone of the model's error."""
    left_out = "; ".join(f"{count:,} {reason}" for reason, count in line["left_out"].items())
    row = {"day": line["day"], "version": line["version"], "steps": f"{line['scored']:,}"}
    row["left_out"] = (
        line["gap"] + (f": {left_out}" if left_out else "") if line["gap"] else left_out
    )
    if line["gap"]:
        return row | {"cells": ["–"] * 4, "tone": ""}
    model, naive = (line["metrics"][name] for name in (MODEL, line["best_naive"]))
    promise = line["promise"]
    cells = [f"{model[RMSE_ACTIVE]:.2f}", f"{promise[RMSE_ACTIVE]:.2f}" if promise else "–"]
    cells += [f"{naive[RMSE_ACTIVE]:.2f}", f"{model[BIAS]:+.2f}".replace("-", "−")]
    return row | {
        "cells": cells,
        "tone": "good" if model[RMSE_ACTIVE] < naive[RMSE_ACTIVE] else "bad",
    }
