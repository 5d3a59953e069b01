"""The report's maps: true, predicted and error for some hours, and errors cell by cell."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from crowdflow.components.flow_report.period import MODEL
from crowdflow.components.flow_report.report_data import (
    LABELS,
    ReportData,
)
from crowdflow.components.flow_report.theme import LIGHT
from crowdflow.evaluation.naive import best_naive
from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import to_datetime64

FLOW_COLORS = "viridis"  # perceptually uniform
ERROR_COLORS = "RdBu_r"  # red where the model forecasts too much
GAIN_COLORS = "PRGn"  # green where the model is better


def flow_maps(data: ReportData, channel: int) -> Figure:
    """True, predicted and error maps of a channel, first step; one column per chosen window."""
    shown = data.tested.shown
    true = np.stack([window.truth[..., channel] for window in shown])
    predicted = np.stack([window.prediction[..., channel] for window in shown])
    error = predicted - true  # [columns, H, W]
    flow_norm = Normalize(0, max(_largest(true, data), _largest(predicted, data), 1))
    error_norm = _symmetric(error, data)

    width, height = _panel(data, 2.0, 1.95)
    size = (len(shown) * (width + 0.15) + 1.75, 3 * (height + 0.12) + 1.0)
    figure = Figure(figsize=size, layout="compressed")
    axes = figure.subplots(3, len(shown), squeeze=False)
    rows = (
        ("true", true, FLOW_COLORS, flow_norm),
        ("predicted", predicted, FLOW_COLORS, flow_norm),
        ("error", error, ERROR_COLORS, error_norm),
    )
    images = []
    for row, (name, maps, colors, norm) in zip(axes, rows):
        images.append([_draw(axis, m, data, colors, norm) for axis, m in zip(row, maps)][0])
        row[0].set_ylabel(name, color=LIGHT["ink"], fontsize=10)
    for axis, window in zip(axes[0], shown):
        lines = (*window.label.split(", "), _time(window.time))
        axis.set_title("\n".join(lines), fontsize=8)
    _keep_outer_ticks(axes)
    share = 0.32 / len(shown)  # keeps the colour bar's size the same for one column and for four
    flow_bar = figure.colorbar(images[0], ax=axes[:2], aspect=32, fraction=share)
    flow_bar.set_label(f"{CHANNELS[channel]}, {data.unit}")
    error_bar = figure.colorbar(images[2], ax=axes[2:], aspect=16, fraction=share)
    error_bar.set_label(f"predicted − true,\n{data.unit}")
    return figure


def cell_maps(data: ReportData) -> Figure:
    """By cell, over both directions: RMSE, mean error, and RMSE below that of the best naive forecast."""
    naive, bias = best_naive(data.metrics), data.tested.cell_bias
    rmse, naive_rmse = (data.tested.cell_rmse[name] for name in (MODEL, naive))
    saved = naive_rmse - rmse
    panels = (
        ("RMSE", rmse, FLOW_COLORS, Normalize(0, max(_largest(rmse, data), 0.1))),
        ("Mean error\n(predicted − true)", bias, ERROR_COLORS, _symmetric(bias, data)),
        (
            f"RMSE below that of\n{LABELS[naive].lower()}",
            saved,
            GAIN_COLORS,
            _symmetric(saved, data),
        ),
    )
    width, height = _panel(data, 2.3, 2.9)
    figure = Figure(figsize=(3 * (width + 1.05) + 0.3, height + 0.9), layout="compressed")
    figure.get_layout_engine().set(wspace=0.08)
    axes = figure.subplots(1, 3)
    row, col = data.tested.busiest
    for axis, (title, values, colors, norm) in zip(axes, panels):
        image = _draw(axis, values, data, colors, norm)
        axis.add_patch(Rectangle((col - 0.5, row - 0.5), 1, 1, fill=False, ec="#ff2d2d", lw=1.6))
        axis.set_title(title, fontsize=9)
        figure.colorbar(image, ax=axis, aspect=24, fraction=0.1).set_label(data.unit)
    _keep_outer_ticks(axes[None])
    return figure


def _draw(
    axis: Axes, values: np.ndarray, data: ReportData, colors: str, norm: Normalize
) -> AxesImage:
    """One map `[H, W]`, row 0 (north) on top, inactive cells grey."""
    axis.grid(False)
    axis.spines[:].set_visible(True)
    axis.set_facecolor(LIGHT["inactive"])
    shown = np.ma.masked_array(values, ~data.tested.active)
    image = axis.imshow(shown, cmap=colors, norm=norm, origin="upper", interpolation="nearest")
    for line in (axis.xaxis, axis.yaxis):
        line.set_major_locator(MaxNLocator(4, integer=True))
    axis.tick_params(length=2, labelsize=7)
    return image


def _keep_outer_ticks(axes: np.ndarray) -> None:
    for row in axes:
        for axis in row[1:]:
            axis.tick_params(left=False, labelleft=False)
    for row in axes[:-1]:
        for axis in row:
            axis.tick_params(bottom=False, labelbottom=False)
    for axis in axes[-1]:
        axis.set_xlabel("column", fontsize=7.5)


def _panel(data: ReportData, width: float, height: float) -> tuple[float, float]:
    """Size in inches of a map within `width` x `height`, its cells square."""
    rows, cols = data.tested.active.shape
    scale = min(width / cols, height / rows)
    return max(cols * scale, 0.8), max(rows * scale, 0.4)


def _largest(values: np.ndarray, data: ReportData) -> float:
    """Largest magnitude of `[..., H, W]` over active cells; 0 without active cells."""
    return float(np.abs(values[..., data.tested.active]).max(initial=0))


def _symmetric(values: np.ndarray, data: ReportData) -> Normalize:
    limit = max(_largest(values, data), 0.1)
    return Normalize(-limit, limit)


def _time(start: int) -> str:
    return to_datetime64(start).item().strftime("%a %-d %b %H:%M")
