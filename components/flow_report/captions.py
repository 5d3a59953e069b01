"""Titles and captions of the report's figures."""

import numpy as np

from crowdflow.components.flow_report.report_data import LABELS, ReportData
from crowdflow.evaluation.naive import best_naive
from crowdflow.schema.intervals import format_start


def caption(data: ReportData, name: str) -> tuple[str, str]:
    """Title and caption of a figure, given its name in `plots.figures`."""
    row, col = data.tested.busiest
    captions = {
        "maps_inflow": ("Inflow: true, predicted and error", _maps(data)),
        "maps_outflow": ("Outflow: true, predicted and error", _maps(data)),
        "week": (
            f"Last week of the busiest cell (row {row}, column {col})",
            "The model's forecast, the true flow and the historical average. Lines break at missing "
            "intervals; weekends are shaded." + _band(data),
        ),
        "hours": (
            "Error by hour of the day",
            "RMSE over active cells of each forecast, by hour of the target interval (left) and for "
            "weekdays and weekends (right).",
        ),
        "steps": (
            "Error by step of the horizon",
            "RMSE over active cells at each step ahead, for the model and the naive forecasts.",
        ),
        "cells": (
            "Error by cell",
            "Over both directions and all test windows. Right: how far the model's RMSE is below "
            f"that of the best naive forecast, {LABELS[best_naive(data.metrics)].lower()}; the model is "
            f"better in green cells and worse in purple ones. The busiest cell (row {row}, column "
            f"{col}) is outlined.",
        ),
        "scatter": (
            "Predicted against true",
            "All active cells and test windows. The dashed line is a perfect forecast; points below "
            "it were forecast too low.",
        ),
        "training": ("Training curves", _training(data)),
    }
    return captions[name]


def _band(data: ReportData) -> str:
    if not data.quantiles or data.tested.busy_band is None:
        return ""
    low, high = data.tested.busy_band[..., 0], data.tested.busy_band[..., 1]
    truth = data.tested.busy_week["truth"]
    inside = int(((truth >= np.floor(low + 0.5)) & (truth <= np.floor(high + 0.5))).sum())
    return f" In the blue band the model expects a flow to lie; {inside} of these {truth.size} did."


def _maps(data: ReportData) -> str:
    shown = "; ".join(
        f"{window.label.lower()} {format_start(window.time)}" for window in data.tested.shown
    )
    return (
        "North is up; inactive cells are grey. True and predicted share one scale. In the error "
        f"row, red is forecast too high, blue too low. Shown: {shown}."
    )


def _training(data: ReportData) -> str:
    text = (
        "Phase 1 trains on the train split and keeps the weights of its best epoch on the eval split "
        "(circled)."
    )
    if any(epoch["phase"] == 2 for epoch in data.history):
        text += " Phase 2 (shaded) continues from them on the train and eval splits together."
    return text
