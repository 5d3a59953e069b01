"""The report's section on drift: the newest flows against the last pushed model's training data."""

from typing import Any, Optional

from crowdflow.evaluation.drift.words import in_words, verdict


def drift_section(drift: Optional[dict[str, Any]]) -> Optional[dict[str, Any]]:
    """What the section shows.

    Args:
      drift: the content of FlowDrift's `drift.json`, or None where it is unknown.

    Returns:
      `verdict`, `anomalies`, `rows` (one per distribution) and `note`; None where `drift` is None.
    """
    if drift is None:
        return None
    rows = [
        {
            "name": in_words(measured["feature"]),
            "divergence": f"{measured['divergence']:.3f}",
            "threshold": f"{measured['threshold']:g}",
            "tone": "bad" if measured["drifted"] else "good",
        }
        for measured in drift["measurements"]
    ]
    note = (
        "Jensen-Shannon divergence, from 0 (identical) to 1, between "
        f"{drift['newest']} and {drift['training']}."
    )
    return {
        "verdict": verdict(drift),
        "anomalies": drift["anomalies"],
        "rows": rows,
        "note": note,
    }
