"""How the model's quantiles held on the test windows: against naive ones, by part of the day, by size of cell."""

from typing import Any, Optional

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from crowdflow.components.flow_report import theme
from crowdflow.components.flow_report.period import TestPeriod
from crowdflow.components.flow_report.report_data import ReportData
from crowdflow.flows.quantiles import (
    HOUR_OF_WEEK,
    PARTS_OF_DAY,
    POISSON,
    QuantileSums,
    pairs,
    shown_interval,
)

_NAME, _TITLE = "calibration", "Do the quantiles hold"
_CAPTION = (
    "All active cells and test windows. On the dashed line, as many flows lie below a quantile as its level says; "
    "below it, flows were larger than the quantile more often than they should be."
)
_CLOSE = 5.0  # points between an interval and the share of flows in it, up to which it is trusted
_SIZES = ("quietest third of the cells", "middle third", "busiest third")
LABELS = {
    "model": "Model",
    HOUR_OF_WEEK: "Earlier flows of the same slot of the week",
    POISSON: "Poisson around the historical average",
}


def held(
    found: Optional[dict[str, Any]], tested: TestPeriod, usual: QuantileSums
) -> Optional[dict[str, Any]]:
    """What `metrics.json` says of quantiles: the Evaluator's part, and more from the test windows.

    Args:
      found: levels and metrics by source, or None for a model without quantiles.
      tested: the test windows.
      usual: of the slot of the week.

    Returns:
      `found` with `hour_of_week` among the sources, `calibration` (the share of flows below each quantile), and
      `by_part` and `by_size`, lists of metrics with their `label`.
    """
    if found is None or not tested.held:
        return None
    sources = {
        "model": found["sources"]["model"],
        HOUR_OF_WEEK: usual.metrics(),
        **found["sources"],
    }
    cells = np.broadcast_to(tested.active[..., None], tested.held[0].below.shape[:-1])
    hours = 24 // PARTS_OF_DAY
    by_part = [
        {
            "label": f"{hours * part:02d}:00 to {hours * (part + 1):02d}:00",
            **sums.of(cells).metrics(),
        }
        for part, sums in enumerate(tested.held)
        if sums.count
    ]
    whole = QuantileSums.zero(found["levels"], cells.shape)
    for sums in tested.held:
        whole.merge(sums)
    rank = np.argsort(np.argsort(tested.cell_flow[tested.active], kind="stable"))
    by_size = []
    for third, label in enumerate(_SIZES):
        chosen = np.zeros_like(cells)
        chosen[tested.active] = (rank * len(_SIZES) // len(rank) == third)[:, None]
        if chosen.any():
            by_size.append({"label": label, **whole.of(chosen).metrics()})
    return {
        **found,
        "sources": sources,
        "calibration": whole.of(cells).calibration(),
        "by_part": by_part,
        "by_size": by_size,
    }


def quantile_section(data: ReportData) -> Optional[dict[str, Any]]:
    """What the page's section shows, or None without quantiles.

    Returns:
      `verdict` and `tone`, for people who know no statistics; `picture`, the calibration curve; `percents` of the
      intervals; `sources` and `groups`, rows of tables with `label`, `pinball`, `coverage` and `width`; `unit`.
    """
    found = data.quantiles
    if not found:
        return None
    interval = shown_interval(found["levels"])
    if not interval:
        return None
    shown, percents = interval[0], list(pairs(found["levels"]))
    groups = [*found["by_part"], *found["by_size"]]
    model = found["sources"]["model"]
    share = 100 * model[f"coverage_{shown}"]
    far = max(abs(100 * model[f"coverage_{percent}"] - percent) for percent in percents)
    verdict = (
        f"Of 100 flows, the model's {shown}% band held {share:.0f}, and it should hold {shown}."
    )
    if far <= _CLOSE:
        verdict += " The bands can be trusted as they are."
    elif share < shown:
        verdict += " The bands are too narrow: expect flows outside them more often than they say."
    else:
        verdict += " The bands are too wide: they are on the safe side."
    with theme.style():
        svg = theme.inline_svg(calibration_curve(found), _NAME, f"{_TITLE}. {_CAPTION}")
    labelled = [{"label": label, **found["sources"][name]} for name, label in LABELS.items()]
    return {
        "verdict": verdict,
        "tone": "good" if far <= _CLOSE else "bad",
        "picture": {"name": _NAME, "title": _TITLE, "caption": _CAPTION, "svg": svg, "basis": None},
        "percents": percents,
        "sources": [_row(line, percents) for line in labelled],
        "groups": [_row(line, percents) for line in groups],
        "unit": data.unit,
    }


def calibration_curve(found: dict[str, Any]) -> Figure:
    """The share of flows below each quantile, against its level."""
    figure = Figure(figsize=(4.6, 4.3), layout="constrained")
    axis = figure.subplots()
    axis.plot(
        [0, 1], [0, 1], color=theme.LIGHT["muted"], lw=0.9, ls=(0, (5, 2)), label="as it should be"
    )
    axis.plot(
        found["levels"],
        found["calibration"],
        color=theme.color("model"),
        marker="o",
        lw=1.4,
        label="model",
    )
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.set(xlabel="quantile, as its level says", ylabel="share of true flows below it")
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_formatter(PercentFormatter(1))
    axis.legend(loc="upper left")
    return figure


def _row(line: dict[str, Any], percents: list[int]) -> dict[str, Any]:
    return {
        "label": line["label"],
        "pinball": f"{line['pinball']:.3f}",
        "coverage": [f"{100 * line[f'coverage_{percent}']:.1f}%" for percent in percents],
        "width": [f"{line[f'width_{percent}']:.2f}" for percent in percents],
    }
