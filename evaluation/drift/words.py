"""Drift in words, for the report and the console. Plain Python."""

from typing import Any


def in_words(feature: str) -> str:
    """A distribution's name for people, such as `inflow on workdays, by hour of the day`."""
    channel, _, rest = feature.partition("_")
    if rest == "by_cell":
        return f"{channel}, by cell"
    kind, _, by = rest.partition("_by_")
    return f"{channel} on {kind}s, {'by hour of the day' if by else 'sizes of flows'}"


def verdict(drift: dict[str, Any]) -> str:
    """FlowDrift's `drift.json` in one line."""
    if drift["not_compared"]:
        return f"drift: not compared, {drift['not_compared']}"
    against = f"{drift['newest']} against the training data of version {drift['version']}"
    found, count = len(drift["anomalies"]), len(drift["measurements"])
    if not found:
        return f"drift: none in {count} distributions, {against}"
    return f"drift: {found} of {count} distributions, {against}"
