"""The report's cards of names and values: the data's counters, the training, the versions."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from crowdflow.components.flow_report.plots import best_epoch, members
from crowdflow.components.flow_report.report_data import ReportData


class Fact(NamedTuple):
    """One row of a card.

    Attributes:
      name: what the value is.
      text: the value.
      kind: CSS class of the value: `text`, `zero` or none.
    """

    name: str
    text: str
    kind: str


Card = tuple[str, list[Fact]]  # title and rows


def data_cards(data: ReportData) -> list[Card]:
    """The number of windows, then one card per group of counters at any depth."""
    cards = [_card("Windows", data.windows)]
    for title, counts in _groups(data.counters, ()):
        if counts != data.windows:
            cards.append(_card(title or "Counts", counts))
    return cards


def training_cards(data: ReportData) -> list[Card]:
    """How the model was trained, the versions of the packages, and those that each node's result depends on."""
    values = {"device": data.device, "seed": str(data.seed)}
    histories = members(data.history)
    if len(histories) > 1:
        values["members"] = str(len(histories))
    for phase in (1, 2):
        epochs = [epoch for epoch in data.history if epoch["phase"] == phase]
        if epochs:
            number, seconds = len(epochs), sum(epoch["seconds"] for epoch in epochs)
            values[f"phase {phase}"] = (
                f"{number} epoch{'' if number == 1 else 's'} in {_duration(seconds)}"
            )
            rates = sorted({f"{epochs[i]['learning_rate']:.3g}" for i in (0, -1)}, key=float)
            values[f"phase {phase}, learning rate"] = " to ".join(reversed(rates))
    best = [(history, best_epoch(history)) for history in histories]
    kept = [
        f"{history[index]['eval_rmse']:.2f} {data.unit}, epoch {index + 1}"
        for history, index in best
        if index is not None
    ]
    if kept:
        values["best eval RMSE"] = "; ".join(kept)
    if not data.history:
        values["epochs"] = "no training history was recorded"
    made_by = {
        node: [f"{name} {version}" for name, version in found.items()]
        for node, found in data.libraries.items()
    }
    cards = [_card("Training", values), _card("Versions", data.versions)]
    return [*cards, _card("Libraries that made each part", made_by)] if made_by else cards


def _groups(counters: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict]]:
    """Title and own counts of each nested group, outer groups first."""
    nested = {name: value for name, value in counters.items() if isinstance(value, dict)}
    own = {name: value for name, value in counters.items() if name not in nested}
    if own or not nested:
        yield ": ".join(map(_words, path)).capitalize(), own
    for name, group in nested.items():
        yield from _groups(group, (*path, name))


def _card(title: str, values: dict[str, Any]) -> Card:
    return title, [_fact(name, value) for name, value in values.items()]


def _fact(name: str, value: Any) -> Fact:
    if isinstance(value, int) and not isinstance(value, bool):
        return Fact(_words(name), f"{value:,}", "" if value else "zero")
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value)) or "none"
    return Fact(_words(name), str(value), "text")


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
