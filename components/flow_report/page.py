"""The report's page: one HTML file with everything in it, nothing fetched from elsewhere."""

import html
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

from crowdflow.components.flow_report.drift_section import drift_section
from crowdflow.components.flow_report.plots import best_epoch, figures, members
from crowdflow.components.flow_report.report_data import (
    LABELS,
    METRICS,
    ReportData,
    busiest_cell,
    chosen_windows,
)
from crowdflow.components.flow_report.theme import STYLE_SHEET, inline_svg
from crowdflow.evaluation.naive import best_naive
from crowdflow.schema.intervals import format_start

__all__ = ["ReportData", "render_page"]

_LEADING_METRIC = "rmse_active_cells"


def render_page(data: ReportData) -> str:
    """The whole report as one self-contained HTML text."""
    title = f"CrowdFlow: {data.title}"
    body = "\n".join(
        (
            _header(data),
            _headline(data),
            f"<h2>Accuracy on the test windows</h2>\n{_metrics_table(data)}",
            f"<h2>Pictures</h2>\n{_pictures(data)}",
            drift_section(data.drift),
            f"<h2>Data</h2>\n{_counters(data)}",
            f"<h2>Training</h2>\n{_training(data)}",
            _config(data),
        )
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(title)}</title>\n<style>\n{STYLE_SHEET}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _escape(value: Any) -> str:
    return html.escape(str(value))


def _header(data: ReportData) -> str:
    if not data.blessed:
        tone, verdict = "bad", "Refused: the model was not pushed"
    elif data.pushed_model is None:
        tone, verdict = "bad", "Approved, but not pushed"
    else:
        tone, verdict = "good", "Approved and pushed"
    where = (
        f"<p>Pushed to <code>{_escape(data.pushed_model)}</code></p>" if data.pushed_model else ""
    )
    reasons = "".join(f"<li>{_escape(reason)}</li>" for reason in data.reasons)
    first, last = (format_start(time) for time in (data.target_times[0], data.target_times[-1]))
    rows, cols = data.active.shape
    return (
        f"<h1>Crowd-flow forecast: {_escape(data.title)}</h1>\n"
        f'<p class="muted">Tested on {_count(len(data.target_times))}, {first} to {last}; '
        f"grid {rows} × {cols}, {int(data.active.sum())} active cells; "
        f"intervals of {data.interval_minutes} minutes.</p>\n"
        f'<section class="verdict {tone}"><strong>{verdict}</strong>{where}'
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + "</section>"
    )


def _headline(data: ReportData) -> str:
    """The three numbers to remember."""
    best = best_naive(data.metrics)
    model, naive = (data.metrics[name][_LEADING_METRIC] for name in ("model", best))
    gain = _improvement(model, naive)
    cards = (
        ("Model, RMSE over active cells", _number(model), data.unit),
        (f"Best naive forecast: {LABELS[best].lower()}", _number(naive), data.unit),
        ("Model against the best naive forecast", gain, "RMSE"),
    )
    return _cards(
        f'<div class="muted">{_escape(label)}</div><div class="number">{value} '
        f"<small>{_escape(note)}</small></div>"
        for label, value, note in cards
    )


def _improvement(model: float, other: float) -> str:
    """How much lower the model's error is, such as `−26.5%`."""
    return f"{100 * (model / other - 1):+.1f}%".replace("-", "−") if other else "–"


def _number(value: float) -> str:
    return f"{value:.2f}"


def _count(number: int) -> str:
    return f"{number:,} window{'' if number == 1 else 's'}"


def _cards(contents: Iterable[str], wide: bool = False) -> str:
    cards = "\n".join(f'<div class="card">{content}</div>' for content in contents)
    return f'<div class="cards{" wide" if wide else ""}">\n{cards}\n</div>'


def _metrics_table(data: ReportData) -> str:
    """A row a forecast, a column a metric; the best of each column marked."""
    best = {
        metric: min(data.metrics[source][metric] for source in data.sources) for metric in METRICS
    }
    head = "".join(f'<th scope="col">{label}</th>' for label in METRICS.values())
    rows = []
    for source in data.sources:
        values = data.metrics[source]
        cells = ""
        for metric in METRICS:
            mark = ' class="best"' if values[metric] == best[metric] else ""
            cells += f"<td{mark}>{_number(values[metric])}</td>"
        row = ' class="model"' if source == "model" else ""
        rows.append(
            f'<tr{row}><th scope="row">{LABELS[source]}</th>{cells}{_gain_cell(data, source)}</tr>'
        )
    return (
        '<div class="card scroll"><table class="metrics"><thead><tr><th scope="col">Forecast</th>'
        f'{head}<th scope="col">Model’s RMSE against it</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        f'<p class="muted">In {data.unit}, on the same test windows; the best of each column is '
        "marked. RMSE over active cells counts every error, divided by the active cells.</p></div>"
    )


def _gain_cell(data: ReportData, source: str) -> str:
    if source == "model":
        return "<td></td>"
    model, other = (data.metrics[name][_LEADING_METRIC] for name in ("model", source))
    tone = "good" if model < other else "bad"
    return f'<td class="{tone}">{_improvement(model, other)}</td>'


def _pictures(data: ReportData) -> str:
    parts = []
    for name, figure in figures(data).items():
        title, caption = _caption(data, name)
        picture = inline_svg(figure, name, f"{title}. {caption}")
        width = figure.get_figwidth() * 96
        basis = f' style="flex:1 1 {0.85 * width:.0f}px"' if name.startswith("maps") else ""
        parts.append(
            f'<figure id="figure-{name}"{basis}><div class="scroll">{picture}</div>'
            f"<figcaption><b>{_escape(title)}.</b> {_escape(caption)}</figcaption></figure>"
        )
    return f'<div class="pair">\n{parts[0]}\n{parts[1]}\n</div>\n' + "\n".join(parts[2:])


def _caption(data: ReportData, name: str) -> tuple[str, str]:
    """Title and explanation of a picture."""
    row, col = busiest_cell(data)
    shown = "; ".join(
        f"{label.lower()} {format_start(data.target_times[i])}" for label, i in chosen_windows(data)
    )
    maps = (
        "North is up; inactive cells are grey. True and predicted share one scale. In the error "
        f"row, red is forecast too high, blue too low. Shown: {shown}."
    )
    phases = "Phase 1 trains on the train part; its best epoch on the eval part (circled) is kept."
    if any(epoch["phase"] == 2 for epoch in data.history):
        phases += " Phase 2 (shaded) goes on from there with the train and eval parts together."
    captions = {
        "maps_inflow": ("Inflow: true, predicted and error", maps),
        "maps_outflow": ("Outflow: true, predicted and error", maps),
        "week": (
            f"The busiest cell's last week (row {row}, column {col})",
            "The model's forecast beside what happened and beside the historical average. Missing "
            "intervals are left open; weekends are shaded.",
        ),
        "hours": (
            "Error by hour of the day",
            "RMSE over active cells of every forecast, by the hour of the target (left), and on "
            "weekdays and weekends (right).",
        ),
        "steps": (
            "Error by step of the horizon",
            "RMSE over active cells of each step ahead, the model against the naive forecasts.",
        ),
        "cells": (
            "Error by cell",
            "Over both directions and all test windows. Right: how far the model's RMSE is below "
            f"that of the best naive forecast, {LABELS[best_naive(data.metrics)].lower()}; green cells are "
            "forecast better by the model, purple ones worse. The busiest cell (row "
            f"{row}, column {col}) is outlined.",
        ),
        "scatter": (
            "Predicted against true",
            "Every active cell and test window; the dashed line is a perfect forecast. What lies "
            "below it was forecast too low.",
        ),
        "training": ("Training curves", phases),
    }
    return captions[name]


def _counters(data: ReportData) -> str:
    """The windows, and a card for every group of counters at any depth."""
    cards = [_facts("Windows", data.windows)]
    for title, facts in _groups(data.counters, ()):
        if facts != data.windows:
            cards.append(_facts(title or "Counts", facts))
    return _cards(cards, wide=True)


def _groups(counters: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict]]:
    """Title and plain counts of each nested group, outer ones first."""
    nested = {name: value for name, value in counters.items() if isinstance(value, dict)}
    plain = {name: value for name, value in counters.items() if name not in nested}
    if plain or not nested:
        yield ": ".join(map(_words, path)).capitalize(), plain
    for name, group in nested.items():
        yield from _groups(group, (*path, name))


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _facts(title: str, facts: dict[str, Any]) -> str:
    """A small table of names and values."""
    rows = "".join(
        f'<tr><th scope="row">{_escape(_words(name))}</th>{_fact(value)}</tr>'
        for name, value in facts.items()
    )
    none = '<p class="muted">none</p>' if not rows else ""
    return f"<h3>{_escape(title)}</h3><table><tbody>{rows}</tbody></table>{none}"


def _fact(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"<td{'' if value else ' class=zero'}>{value:,}</td>"
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value)) or "none"
    return f'<td class="text">{_escape(value)}</td>'


def _training(data: ReportData) -> str:
    facts = {"device": data.device, "seed": str(data.seed)}
    histories = members(data.history)
    if len(histories) > 1:
        facts["members"] = str(len(histories))
    for phase in (1, 2):
        epochs = [epoch for epoch in data.history if epoch["phase"] == phase]
        if epochs:
            seconds = sum(epoch["seconds"] for epoch in epochs)
            facts[f"phase {phase}"] = f"{_epochs(len(epochs))} in {_duration(seconds)}"
            rates = sorted({f"{epochs[i]['learning_rate']:.3g}" for i in (0, -1)}, key=float)
            facts[f"phase {phase}, learning rate"] = " to ".join(reversed(rates))
    best = [(history, best_epoch(history)) for history in histories]
    chosen = [
        f"{_number(history[at]['eval_rmse'])} {data.unit}, epoch {at + 1}"
        for history, at in best
        if at is not None
    ]
    if chosen:
        facts["best eval RMSE"] = "; ".join(chosen)
    if not data.history:
        facts["epochs"] = "no training history was recorded"
    return _cards((_facts("Training", facts), _facts("Versions", data.versions)), wide=True)


def _epochs(number: int) -> str:
    return f"{number} epoch{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _config(data: ReportData) -> str:
    text = yaml.safe_dump(data.config, sort_keys=False, allow_unicode=True)
    return f"<details><summary>Configuration</summary><pre>{_escape(text)}</pre></details>"
