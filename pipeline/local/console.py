"""Console output of a run: progress of nodes and epochs, and the results at the end."""

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Optional

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crowdflow.components.refit import words as refit
from crowdflow.evaluation.drift.words import verdict
from crowdflow.evaluation.live import candidate_in_words, in_words
from crowdflow.ingest.counters import in_words as counters_in_words
from crowdflow.storage.addresses import is_address

LOGGER = "crowdflow"
_NODE_STARTS, _NODE_ENDS = "Component %s is running.", "Component %s is finished."
_NODE_CACHED = "A cached execution %d is used."

LABELS = {
    "model": "this model",
    "median": "its median",
    "last_pushed": "best pushed model",
    "last_interval": "last interval",
    "last_week": "last week",
    "historical_average": "historical average",
    "four_weeks": "last four weeks",
    "weeks_and_days": "weeks and days",
}
QUANTILE_LABELS = {
    "model": "this model",
    "hour_of_week": "same hour of the week",
    "poisson": "Poisson, hist. average",
}
UNBLESSED = "Not blessed, and pushed all the same, as evaluation.push_unblessed says."
COLUMNS = {
    "rmse_active_cells": "RMSE",
    "inflow_rmse_active_cells": "inflow",
    "outflow_rmse_active_cells": "outflow",
    "mae_active_cells": "MAE",
    "rmse_all_cells": "RMSE, all cells",
}


class Progress(logging.Handler):
    """Shows the local runner's progress from its log: colours on a terminal, plain lines elsewhere.

    Attributes:
      seconds: node id -> its run time, in the order in which the nodes ran.
      current: the running node, or None.
    """

    def __init__(self, console: Console):
        super().__init__(logging.INFO)
        self.seconds: dict[str, float] = {}
        self.current: Optional[str] = None
        self._console = console
        self._started = 0.0
        self._cached = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(LOGGER):
            style = "yellow" if record.levelno >= logging.WARNING else "dim"
            self.line(f"    {record.getMessage()}", style)
        elif record.msg == _NODE_STARTS:
            self.current, self._started, self._cached = record.args[0], time.monotonic(), False
            if self._console.is_terminal:
                self.line(f"  {self.current} ...", "dim")
        elif record.msg == _NODE_CACHED:
            self._cached = True
        elif record.msg == _NODE_ENDS:
            self.stop()
            how = "cached" if self._cached else "done"
            name = record.args[0]
            self.line(f"  {name:<18} {how:<7} {self.seconds[name]:6.1f} s", "green")

    def stop(self) -> None:
        """Records the current node's run time, whether it finished or failed."""
        if self.current:
            self.seconds[self.current] = time.monotonic() - self._started
        self.current = None

    def line(self, text: str, style: str = "") -> None:
        """Prints a line without markup and wrapping."""
        self._console.print(Text(text, style=style), soft_wrap=True)


def errors_table(title: str, first: str, columns: Iterable[str]) -> Table:
    """An empty table of numbers: what each row is of, then its errors."""
    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(first, no_wrap=True)
    for label in columns:
        table.add_column(label, justify="right", no_wrap=True)
    return table


def results_table(metrics: dict[str, Any]) -> Table:
    """The errors of the model and of the forecasts it is compared with, on the test windows."""
    title = "On the test windows, trips per interval, over active cells unless noted"
    table = errors_table(title, "forecast", COLUMNS.values())
    for source, label in LABELS.items():
        if metrics.get(source):
            values = [f"{metrics[source][name]:.3f}" for name in COLUMNS]
            table.add_row(label, *values, style="bold" if source == "model" else "")
    return table


def quantiles_table(held: dict[str, Any]) -> Table:
    """How the quantiles of the model and the naive ones held on the test windows."""
    percents = [int(name[9:]) for name in held["sources"]["model"] if name.startswith("coverage_")]
    title = "Its intervals there: the share of flows within each, and its width in trips"
    table = errors_table(title, "intervals", ["pinball", *(f"{p}%" for p in percents), "width"])
    for source, label in QUANTILE_LABELS.items():
        found = held["sources"][source]
        values = [f"{found['pinball']:.3f}"]
        values += [f"{100 * found[f'coverage_{percent}']:.1f}%" for percent in percents]
        values += [" ".join(f"{found[f'width_{percent}']:.2f}" for percent in percents)]
        table.add_row(label, *values, style="bold" if source == "model" else "")
    return table


def print_outcome(console: Console, summary: dict[str, Any]) -> None:
    """Prints the results of a completed run."""
    root = Path(summary["config"]["paths"]["root"])
    windows = ", ".join(f"{count} {split}" for split, count in summary["windows"].items())
    console.print()
    console.print(results_table(summary["metrics"]))
    if summary["quantiles"]:
        console.print(quantiles_table(summary["quantiles"]))
    of_windows = summary["counters"]["windows"]
    lines = [*counters_in_words(summary["counters"]["frames"]), f"windows: {windows}"]
    if of_windows["naive_fallbacks"]:
        lines.append(f"windows whose naive forecasts fall back: {of_windows['naive_fallbacks']:,}")
    dropped = ", ".join(f"{lag} {count:,}" for lag, count in of_windows["dropped"].items() if count)
    if dropped:
        lines.append(f"windows dropped by first missing lag: {dropped}")
    for line in [*lines, *summary["reasons"], refit.in_words(summary["refit"])]:
        console.print(Text(line), soft_wrap=True)
    drift = summary["drift"]
    style = "yellow" if drift["anomalies"] else ""
    for line in (verdict(drift), *(f"  {line}" for line in drift["anomalies"])):
        console.print(Text(line, style=style), soft_wrap=True)
    live = summary["live"]
    worse = live["verdict"] and live["verdict"]["worse"]
    tone = "bold red" if worse else "yellow" if live["skipped"] and live["version"] else ""
    for line in filter(None, (in_words(live), candidate_in_words(live))):
        console.print(Text(line, style=tone), soft_wrap=True)
    pushed = summary["pushed_model"]
    if pushed is None:
        outcome = Text("Refused, nothing pushed.", "bold red")
    else:
        place = pushed if is_address(pushed) else root / pushed
        words, tone = ("Blessed.", "green") if summary["blessed"] else (UNBLESSED, "yellow")
        outcome = Text(f"{words} Pushed to {place}", f"bold {tone}")
    console.print(outcome, soft_wrap=True)
    console.print(Text(f"Report: {root / summary['report']}"), soft_wrap=True)
