"""The report's page: one self-contained HTML file, rendered from `templates/page.html.j2`."""

from typing import Any

import jinja2
import yaml

from crowdflow.components.flow_report import theme
from crowdflow.components.flow_report.captions import caption
from crowdflow.components.flow_report.drift_section import drift_section
from crowdflow.components.flow_report.facts import data_cards, training_cards
from crowdflow.components.flow_report.live_section import live_section
from crowdflow.components.flow_report.plots import figures
from crowdflow.components.flow_report.quantile_section import quantile_section
from crowdflow.components.flow_report.report_data import LABELS, METRICS, ReportData
from crowdflow.components.flow_report.week_map import week_map
from crowdflow.components.refit.words import in_words
from crowdflow.evaluation.naive import best_naive
from crowdflow.maps import colors
from crowdflow.schema.intervals import format_start

__all__ = ["ReportData", "render_page"]

_NOT_SERVED = "TensorFlow Serving did not serve it"
_LEADING_METRIC = "rmse_active_cells"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("crowdflow.components.flow_report"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render_page(data: ReportData) -> str:
    """The whole report as one HTML text that refers to no other file."""
    return _TEMPLATES.get_template("page.html.j2").render(
        title=data.title,
        light=colors.LIGHT | colors.PAGE_LIGHT,
        dark=colors.DARK | colors.PAGE_DARK,
        tested=_tested(data),
        outcome=_outcome(data),
        headline=_headline(data),
        accuracy=_accuracy(data),
        quantiles=quantile_section(data),
        week_map=week_map(data),
        pictures=_pictures(data),
        live=live_section(data.live, data.unit),
        drift=drift_section(data.drift),
        data_cards=data_cards(data),
        training_cards=training_cards(data),
        config=yaml.safe_dump(data.config, sort_keys=False, allow_unicode=True),
    )


def _tested(data: ReportData) -> str:
    """The test windows, the grid and the interval in one line."""
    times, active = data.tested.times, data.tested.active
    number, (rows, cols) = len(times), active.shape
    first, last = (format_start(time) for time in (times[0], times[-1]))
    return (
        f"Tested on {number:,} window{'' if number == 1 else 's'}, {first} to {last}; "
        f"grid {rows} × {cols}, {int(active.sum())} active cells; "
        f"intervals of {data.interval_minutes} minutes."
    )


def _outcome(data: ReportData) -> dict[str, Any]:
    """Whether the model was blessed and pushed, and why."""
    pushed = data.pushed_model is not None
    tone = "good" if data.blessed and pushed else "bad"
    verdict = {
        (True, True): "Blessed and pushed",
        (True, False): f"Blessed, but not pushed: {data.held_back or _NOT_SERVED}",
        (False, True): "Not blessed, and pushed all the same, as evaluation.push_unblessed says",
        (False, False): "Not blessed: the model was not pushed",
    }[data.blessed, pushed]
    return {
        "tone": tone,
        "verdict": verdict,
        "pushed_model": data.pushed_model,
        "reasons": [*data.reasons, *([in_words(data.refit)] if data.refit else [])],
    }


def _headline(data: ReportData) -> list[dict[str, str]]:
    """The three numbers to remember."""
    best = best_naive(data.metrics)
    model, naive = (data.metrics[name][_LEADING_METRIC] for name in ("model", best))
    cards = (
        ("Model, RMSE over active cells", f"{model:.2f}", data.unit),
        (f"Best naive forecast: {LABELS[best].lower()}", f"{naive:.2f}", data.unit),
        ("Model relative to the best naive forecast", _change(model, naive), "RMSE"),
    )
    return [dict(zip(("label", "number", "note"), card)) for card in cards]


def _change(model: float, other: float) -> str:
    """The model's error relative to another forecast's, such as `−26.5%`."""
    return f"{100 * (model / other - 1):+.1f}%".replace("-", "−") if other else "–"


def _accuracy(data: ReportData) -> dict[str, Any]:
    """One row per forecast, one column per metric, the best value of each column marked."""
    best = {
        metric: min(data.metrics[source][metric] for source in data.sources) for metric in METRICS
    }
    model = data.metrics["model"][_LEADING_METRIC]
    rows = []
    for source in data.sources:
        values, is_model = data.metrics[source], source == "model"
        other = values[_LEADING_METRIC]
        rows.append(
            {
                "label": LABELS[source],
                "is_model": is_model,
                "cells": [
                    {"text": f"{values[metric]:.2f}", "best": values[metric] == best[metric]}
                    for metric in METRICS
                ],
                "change": "" if is_model else _change(model, other),
                "tone": "" if is_model else "good" if model < other else "bad",
            }
        )
    return {"metrics": list(METRICS.values()), "rows": rows, "unit": data.unit}


def _pictures(data: ReportData) -> list[dict[str, Any]]:
    """The figures with their titles and captions; the two maps come first."""
    pictures = []
    for name, figure in figures(data).items():
        title, text = caption(data, name)
        width = figure.get_figwidth() * 96  # CSS pixels
        pictures.append(
            {
                "name": name,
                "title": title,
                "caption": text,
                "svg": theme.inline_svg(figure, name, f"{title}. {text}"),
                # Both maps share a line where it is wide enough for 85% of each.
                "basis": f"{0.85 * width:.0f}" if name.startswith("maps") else None,
            }
        )
    return pictures
