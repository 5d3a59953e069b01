"""The report's section on drift: the newest flows against those that the last pushed model was trained on."""

import html
from typing import Any, Optional

from crowdflow.evaluation.drift.words import in_words, verdict


def drift_section(drift: Optional[dict[str, Any]]) -> str:
    """The section as HTML; empty where the report has no such account.

    Args:
      drift: what FlowDrift's `drift.json` holds.
    """
    if drift is None:
        return ""
    anomalies = "".join(f"<li>{html.escape(line)}</li>" for line in drift["anomalies"])
    head = f"<strong>{html.escape(verdict(drift))}</strong>"
    box = (
        f'<section class="verdict bad" id="drift">{head}<ul>{anomalies}</ul></section>'
        if anomalies
        else f'<p id="drift">{html.escape(verdict(drift))}</p>'
    )
    return f"<h2>Drift</h2>\n{box}\n{_table(drift)}"


def _table(drift: dict[str, Any]) -> str:
    if not drift["measurements"]:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(in_words(measured["feature"]))}</th>'
        f'<td class="{"bad" if measured["drifted"] else "good"}">{measured["divergence"]:.3f}</td>'
        f"<td>{measured['threshold']:g}</td></tr>"
        for measured in drift["measurements"]
    )
    note = (
        f"Jensen-Shannon divergence, from 0 (the same) to 1, of {drift['newest']} from "
        f"{drift['training']}."
    )
    return (
        '<div class="card scroll"><table class="metrics"><thead><tr><th scope="col">Distribution</th>'
        '<th scope="col">Divergence</th><th scope="col">Threshold</th></tr></thead>'
        f'<tbody>{rows}</tbody></table><p class="muted">{html.escape(note)}</p></div>'
    )
