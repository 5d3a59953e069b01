"""The report's figures, drawn from arrays. Nothing here writes a file or depends on the page."""

from typing import Any, Optional

import numpy as np
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, NullLocator, ScalarFormatter

from crowdflow.components.flow_report.maps import FLOW_COLORS, cell_maps, flow_maps
from crowdflow.components.flow_report.period import MODEL
from crowdflow.components.flow_report.report_data import LABELS, ReportData
from crowdflow.components.flow_report.theme import LIGHT, color, style
from crowdflow.flows.quantiles import shown_interval
from crowdflow.schema.features import CHANNELS, NAIVE_FORECASTS
from crowdflow.schema.intervals import MINUTES_PER_DAY, to_datetime64, weekday

_DASHES = {
    "last_pushed": "-.",
    "weeks_and_days": (0, (5, 1, 1, 1, 1, 1)),
    "four_weeks": (0, (3, 1)),
    "historical_average": "--",
    "last_week": "-.",
    "last_interval": ":",
}


def figures(data: ReportData) -> dict[str, Figure]:
    """Draws every figure of a report.

    Returns:
      Name -> figure, in the page's order: `maps_inflow`, `maps_outflow`, `week`, `hours`, `steps`
      (only for a horizon above 1), `cells`, `scatter`, `training` (only with a training history).
    """
    with style():
        drawn = {f"maps_{name}": flow_maps(data, channel) for channel, name in enumerate(CHANNELS)}
        drawn["week"] = busy_week(data)
        drawn["hours"] = error_by_hour(data)
        if len(data.tested.step_rmse[MODEL]) > 1:
            drawn["steps"] = error_by_step(data)
        drawn["cells"] = cell_maps(data)
        drawn["scatter"] = predicted_against_true(data)
        if data.history:
            drawn["training"] = training_curves(data)
    return drawn


def busy_week(data: ReportData) -> Figure:
    """The busiest cell's last week, first step: true, predicted and average flow, and the model's interval."""
    times, flows = data.tested.week, data.tested.busy_week
    lines = (
        ("true", flows["truth"], {"color": LIGHT["ink"], "lw": 1.3}),
        ("predicted", flows[MODEL], {"color": color(MODEL), "lw": 1.6}),
        (
            LABELS["historical_average"].lower(),
            flows["historical_average"],
            {"color": color("historical_average"), "lw": 1.2, "ls": (0, (3, 1.5))},
        ),
    )
    figure = Figure(figsize=(11.6, 5.2), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for channel, axis in enumerate(axes):
        for label, values, look in lines:
            at, series = with_gaps(times, values[:, channel], data.interval_minutes)
            # Without dots, an interval between two gaps would be invisible.
            axis.plot(at, series, label=label, marker=".", ms=2.5, **look)
        if data.tested.busy_band is not None:
            percent, *_ = shown_interval(data.quantiles["levels"])
            at, ends = with_gaps(times, data.tested.busy_band[:, channel], data.interval_minutes)
            label = f"{percent}% of flows are expected here"
            axis.fill_between(at, *ends.T, color=LIGHT["interval"], lw=0, zorder=1, label=label)
        axis.set_title(CHANNELS[channel].capitalize(), loc="left")
        axis.set_ylabel(data.unit)
        axis.set_ylim(bottom=0)
    _date_axis(axes, times, data.interval_minutes)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    return figure


def with_gaps(times: np.ndarray, values: np.ndarray, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Inserts a NaN at each gap, so that a plotted line breaks there.

    Args:
      times: int64 `[n]`, increasing.
      values: float `[n, ...]`.
      minutes: length of an interval.

    Returns:
      datetime64[m] `[n + gaps]` and float64 `[n + gaps, ...]`.
    """
    gaps = np.flatnonzero(np.diff(times) > minutes) + 1
    filled = np.insert(times, gaps, times[gaps - 1] + minutes)
    broken = np.insert(np.asarray(values, np.float64), gaps, np.nan, axis=0)
    return filled.astype("datetime64[m]"), broken


def _date_axis(axes: np.ndarray, times: np.ndarray, minutes: int) -> None:
    """Labels days, or hours for a short span, under the lowest of `axes` and shades weekends."""
    first, last = int(times[0]), int(times[-1])
    axes[0].set_xlim(to_datetime64(first - minutes), to_datetime64(last + minutes))
    axis = axes[-1].xaxis
    if last - first < 2 * MINUTES_PER_DAY:
        axis.set_major_locator(dates.AutoDateLocator(minticks=2, maxticks=8))
        axis.set_major_formatter(dates.DateFormatter("%a %-d %b\n%H:%M"))
    else:
        # Grid lines at midnight, each day's name at noon.
        axis.set_major_locator(dates.DayLocator())
        axis.set_major_formatter("")
        axis.set_minor_locator(dates.HourLocator(byhour=12))
        axis.set_minor_formatter(dates.DateFormatter("%a %-d %b"))
        for panel in axes:
            panel.tick_params(axis="x", which="minor", length=0, pad=6)
    for day in range(first // MINUTES_PER_DAY, last // MINUTES_PER_DAY + 1):
        start = day * MINUTES_PER_DAY
        if weekday(start) >= 5:
            for panel in axes:
                end = to_datetime64(start + MINUTES_PER_DAY)
                panel.axvspan(to_datetime64(start), end, color=LIGHT["band"], lw=0, zorder=0)


def error_by_hour(data: ReportData) -> Figure:
    """RMSE over active cells of every forecast by hour, and for weekdays and weekends."""
    figure = Figure(figsize=(11.6, 4.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 1.25), sharey=True)
    hours, groups = np.arange(24), ("weekday", "weekend")
    names = [name for name in data.sources if name in data.by_hour]
    for place, name in enumerate(names):
        by_hour = {int(hour): value for hour, value in data.by_hour[name].items()}
        values = [by_hour.get(hour, np.nan) for hour in hours]
        left.plot(hours, values, label=LABELS[name], marker="o", **_look(name))
        by_day = data.by_day.get(name, {})
        bars = np.arange(2) + (place - (len(names) - 1) / 2) * 0.8 / len(names)
        heights = [by_day.get(group, 0) for group in groups]
        right.bar(bars, heights, 0.72 / len(names), color=color(name))
    left.set(xlabel="hour of the day", ylabel=f"RMSE, active cells, {data.unit}", xlim=(-0.5, 23.5))
    left.set_xticks(range(0, 24, 3), [f"{hour:02d}:00" for hour in range(0, 24, 3)])
    left.set_ylim(bottom=0)
    right.set_xticks(range(2), groups)
    right.tick_params(bottom=False, left=False)
    right.spines.left.set_visible(False)
    right.grid(False, axis="x")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


def error_by_step(data: ReportData) -> Figure:
    """RMSE over active cells at each step of the horizon, for the model and the naive forecasts."""
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axis = figure.subplots()
    for name in (MODEL, *reversed(NAIVE_FORECASTS)):
        values = data.tested.step_rmse[name]
        steps = np.arange(1, len(values) + 1)
        axis.plot(steps, values, label=LABELS[name], marker="o", **_look(name))
    axis.set(xlabel=f"steps ahead, {data.interval_minutes} min each")
    axis.set_ylabel(f"RMSE, active cells, {data.unit}")
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _look(name: str) -> dict:
    if name == "model":
        return {"color": color(name), "lw": 2.4, "ms": 4, "zorder": 3}
    return {"color": color(name), "lw": 1.4, "ms": 2.5, "ls": _DASHES[name]}


def predicted_against_true(data: ReportData) -> Figure:
    """Predicted against true flow of every active cell and window, first step, as a 2-D histogram."""
    figure = Figure(figsize=(9.6, 4.4), layout="compressed")
    axes = figure.subplots(1, 2)
    pairs = data.tested.pairs
    top = pairs.largest
    norm = LogNorm(1, max(pairs.counts.sum() / 20, 10), clip=True)
    for channel, axis in enumerate(axes):
        true, predicted, counts = pairs.points(channel)
        bins = axis.hexbin(
            true, predicted, counts, reduce_C_function=np.sum, gridsize=40,
            extent=(0, top, 0, top), norm=norm, cmap=FLOW_COLORS, linewidths=0.1,
        )  # fmt: skip
        axis.plot([0, top], [0, top], color=LIGHT["ink"], lw=1, ls="--")
        axis.set(xlim=(0, top * 1.03), ylim=(0, top * 1.03), aspect="equal")
        for line in (axis.xaxis, axis.yaxis):
            line.set_major_locator(MaxNLocator(5))
        axis.set_title(CHANNELS[channel].capitalize(), loc="left")
        axis.set(xlabel=f"true, {data.unit}")
    axes[0].set_ylabel(f"predicted, {data.unit}")
    figure.colorbar(bins, ax=axes, aspect=30).set_label("number of forecasts")
    return figure


def training_curves(data: ReportData) -> Figure:
    """Loss and eval RMSE per epoch through both phases, one line per ensemble member, best epochs marked."""
    histories = members(data.history)
    longest = max(histories, key=len)
    panels = [("Training loss", "mean squared error, scaled flows", "loss")]
    if any(epoch.get("eval_rmse") is not None for epoch in data.history):
        panels.append(("RMSE on the eval split", data.unit, "eval_rmse"))
    figure = Figure(figsize=(11.6, 3.7), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, label, name) in zip(axes, panels):
        for history in histories:
            values = np.array([_or_nan(epoch.get(name)) for epoch in history], np.float64)
            epochs = np.arange(1, len(history) + 1)
            axis.plot(
                epochs,
                values,
                color=color("model"),
                lw=1.6 / len(histories) ** 0.5,
                marker=".",
                ms=4,
            )
        axis.set_title(title, loc="left")
        axis.set(xlabel="epoch", ylabel=label, xlim=(0.5, len(longest) + 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        shown = np.concatenate([line.get_ydata() for line in axis.get_lines()])
        if (shown[np.isfinite(shown)] > 0).all():
            axis.set_yscale("log")
            axis.yaxis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.6)))
        _mark_phases(axis, [epoch["phase"] for epoch in longest])
    if len(panels) > 1:
        _plain_log_ticks(axes[1])
        for history in histories:
            _mark_best(axes[1], history)
    return figure


def members(history: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The epochs of each ensemble member, in order."""
    numbers = sorted({epoch.get("member", 1) for epoch in history})
    return [[epoch for epoch in history if epoch.get("member", 1) == n] for n in numbers]


def best_epoch(history: list[dict[str, Any]]) -> Optional[int]:
    """Index into a member's epochs of the smallest eval RMSE in phase 1, or None without an eval RMSE."""
    known = [
        (epoch["eval_rmse"], index)
        for index, epoch in enumerate(history)
        if epoch["phase"] == 1 and np.isfinite(_or_nan(epoch.get("eval_rmse")))
    ]
    return min(known)[1] if known else None


def _mark_best(axis: Axes, history: list[dict[str, Any]]) -> None:
    best = best_epoch(history)
    if best is None:
        return
    at = best + 1, history[best]["eval_rmse"]
    axis.plot(*at, "o", ms=9, mfc="none", mew=1.6, color=LIGHT["ink"])
    axis.annotate(
        f"best: {at[1]:.2f}\nepoch {at[0]}", at, (0, 26), textcoords="offset points", ha="center",
        fontsize=8, arrowprops={"arrowstyle": "-", "color": LIGHT["muted"], "lw": 0.6},
    )  # fmt: skip


def _or_nan(value: Optional[float]) -> float:
    return np.nan if value is None else value


def _mark_phases(axis: Axes, phases: list[int]) -> None:
    """Names the phases at the top of the panel and shades phase 2."""
    for phase in sorted(set(phases)):
        first, last = phases.index(phase) + 0.5, len(phases) - phases[::-1].index(phase) + 0.5
        if phase == 2:
            axis.axvspan(first, last, color=LIGHT["band"], lw=0, zorder=0)
        axis.text(
            (first + last) / 2, 0.97, f"phase {phase}", transform=axis.get_xaxis_transform(),
            ha="center", va="top", fontsize=8, color=LIGHT["muted"],
        )  # fmt: skip


def _plain_log_ticks(axis: Axes) -> None:
    """Puts ticks at round numbers on a logarithmic axis, which spans about a decade."""
    if axis.get_yscale() == "log":
        axis.yaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 5, 10)))
        axis.yaxis.set_major_formatter(ScalarFormatter())
        axis.yaxis.set_minor_locator(NullLocator())
