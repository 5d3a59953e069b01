"""What a run prints: progress of nodes and epochs, errors, and its outcome."""

import io
import logging
import re
from importlib import util
from pathlib import Path

import pytest
from rich.console import Console

from crowdflow.pipeline.local import console as console_module
from crowdflow.pipeline.local.console import (
    UNBLESSED,
    Progress,
    print_outcome,
    quantiles_table,
    results_table,
)

ERRORS = {
    "rmse_active_cells": 5.0,
    "inflow_rmse_active_cells": 4.5,
    "outflow_rmse_active_cells": 5.5,
    "mae_active_cells": 2.25,
    "rmse_all_cells": 3.976,
}


def errors(factor):
    return {name: factor * value for name, value in ERRORS.items()}


METRICS = {
    "model": errors(1),
    "last_pushed": None,
    "last_interval": errors(2),
    "last_week": errors(1.9),
    "historical_average": errors(1.5),
    "four_weeks": errors(1.8),
    "weeks_and_days": errors(1.6),
}

DRIFT = {
    "version": "16",
    "newest": "a to b",
    "training": "c to d",
    "not_compared": None,
    "measurements": [{}] * 10,
    "anomalies": ["inflow, by cell: 0.1, above 0.05"],
}


LIVE = {
    "version": "16",
    "skipped": None,
    "days": [],
    "candidate": None,
    "verdict": None,
}


REFIT = {
    "outcome": "trained on all windows",
    "trained_until": "2024-05-05 04:00",
    "approved_until": "2024-05-04 04:00",
}


def screen(terminal=False):
    return Console(
        file=io.StringIO(), force_terminal=terminal, width=60, highlight=False, color_system=None
    )


def tfx_log(progress):
    """A logger that writes as TFX's local runner and launcher do."""
    log = logging.Logger("absl")
    log.addHandler(progress)
    return log


def run_nodes(progress):
    log = tfx_log(progress)
    log.info("Component %s is running.", "Trainer")
    log.info("some other line of TFX")
    ours = logging.Logger("crowdflow.training")
    ours.addHandler(progress)
    ours.info("phase 1  epoch 1/5  [loss] %s", "1.2e-02 " + "x" * 80)
    log.info("Component %s is finished.", "Trainer")
    log.info("Component %s is running.", "Evaluator")
    log.info("A cached execution %d is used.", 7)
    log.info("Component %s is finished.", "Evaluator")
    log.info("Component %s is running.", "Pusher")


def test_nodes_and_epochs_are_shown_as_they_run():
    console = screen()
    progress = Progress(console)
    run_nodes(progress)
    assert progress.current == "Pusher"
    progress.stop()
    lines = console.file.getvalue().splitlines()
    # An epoch's line keeps its brackets and is not wrapped; TFX's own talk is left out.
    assert lines[0] == f"    phase 1  epoch 1/5  [loss] 1.2e-02 {'x' * 80}"
    assert re.fullmatch(r"  Trainer +done +\d+\.\d s", lines[1])
    assert re.fullmatch(r"  Evaluator +cached +\d+\.\d s", lines[2])
    assert len(lines) == 3
    assert list(progress.seconds) == ["Trainer", "Evaluator", "Pusher"]
    assert all(0 <= seconds < 5 for seconds in progress.seconds.values())
    assert progress.current is None


def test_a_terminal_sees_a_node_begin():
    console = screen(terminal=True)
    run_nodes(Progress(console))
    text = console.file.getvalue()
    assert text.index("Trainer ...") < text.index("phase 1") < text.index("done")
    assert "Pusher ..." in text


def test_tfx_still_logs_the_lines_that_are_followed():
    folder = Path(util.find_spec("tfx").origin).parent / "orchestration"
    runner = (folder / "local" / "local_dag_runner.py").read_text()
    launcher = (folder / "portable" / "launcher.py").read_text()
    assert console_module._NODE_STARTS in runner and console_module._NODE_ENDS in runner
    assert console_module._NODE_CACHED in launcher


def test_the_table_has_a_row_for_each_forecast_there_is():
    console = Console(file=io.StringIO(), width=80)
    console.print(results_table(METRICS))
    text = console.file.getvalue()
    assert re.search(r"this model.*5\.000.*4\.500.*5\.500.*2\.250.*3\.976", text)
    assert re.search(r"historical average.*7\.500", text)
    assert "best pushed" not in text
    console.print(results_table({**METRICS, "last_pushed": errors(1.1)}))
    assert re.search(r"best pushed model.*5\.500.*4\.950", console.file.getvalue())
    console.print(results_table({**METRICS, "model": errors(30)}))  # still no cell is cut short
    assert "…" not in console.file.getvalue()


HELD = {
    "levels": [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95],
    "sources": {
        source: {"pinball": loss}
        | {
            f"{name}_{p}": value
            for p in (50, 80, 90)
            for name, value in (("coverage", p / 100 - off), ("width", p / 10))
        }
        for source, loss, off in (
            ("model", 0.5, 0.01),
            ("hour_of_week", 0.6, 0.1),
            ("poisson", 0.7, 0.2),
        )
    },
}


def test_a_second_table_says_how_the_intervals_held_within_80_columns():
    console = Console(file=io.StringIO(), width=80)
    console.print(quantiles_table(HELD))
    text = console.file.getvalue()
    assert re.search(r"this model +0\.500 +49\.0% +79\.0% +89\.0% +5\.00 8\.00 9\.00", text)
    assert re.search(r"same hour of the week +0\.600 +40\.0%", text) and "…" not in text
    for held, rows in ((None, 1), (HELD, 2)):
        lines = printed(blessed=True, pushed_model="x", quantiles=held)
        assert sum(line.strip().startswith("this model") for line in lines) == rows


def printed(**given):
    """The lines that are printed for a completed run."""
    console = screen()
    frames = {
        "files": 3,
        "records_read": 99000,
        "frames": 99,
        "rejected": {"negative_flow": 3, "outside_grid": 0},
        "rejects_listed": 3,
        "missing_intervals": 2,
        "interval_incomplete": 0,
        "weather_unknown": 4,
        "first_interval": "2024-05-01 00:00",
        "last_interval": "2024-05-05 04:00",
    }
    windows = {"dropped": {"trend-1": 160}, "naive_fallbacks": 1}
    outcome = {
        "config": {"paths": {"root": "runs/x"}},
        "metrics": METRICS,
        "quantiles": HELD,
        "counters": {"frames": {**frames, **given.pop("frames", {})}, "windows": windows},
        "windows": {"train": 90, "eval": 10, "test": 24},
        "reasons": ["rmse_active_cells 5.0000 is below 7.5000, the best naive forecast"],
        "refit": REFIT,
        "drift": DRIFT,
        "live": LIVE,
        "report": "report/index.html",
        **given,
    }
    print_outcome(console, outcome)
    return console.file.getvalue().splitlines()


def test_the_outcome_tells_what_was_read_and_what_was_left_out():
    lines = printed(blessed=False, pushed_model=None)
    for line in (
        "records read 99,000",
        "records rejected: negative_flow 3",
        "also counted: weather_unknown 4",
        "99 intervals from 2024-05-01 00:00 to 2024-05-05 04:00, 2 missing",
        "windows: 90 train, 10 eval, 24 test",
        "windows whose naive forecasts fall back: 1",
        "windows dropped by first missing lag: trend-1 160",
        "rmse_active_cells 5.0000 is below 7.5000, the best naive forecast",
        "refit: the model is trained on all windows, up to 2024-05-05 04:00; the approved one, up to "
        "2024-05-04 04:00, lies beside it",
        "drift: 1 of 10 distributions, a to b against the training data of version 16",
        "  inflow, by cell: 0.1, above 0.05",
        "live: no day of version 16 has figures yet",
    ):
        assert line in lines
    assert lines[-1] == "Report: runs/x/report/index.html"


def test_what_was_read_is_not_called_a_gap():
    counts = {"trips_read": 31500, "starts_binned": 31000, "ends_binned": 30000}
    rejects = {"start_rejects": {"outside_grid": 500}, "end_rejects": {}, "point_rejects": {}}
    lines = printed(blessed=False, pushed_model=None, frames={**counts, **rejects})
    assert "trips read 31,500, starts binned 31,000, ends binned 30,000" in lines
    assert "starts rejected: outside_grid 500" in lines
    assert not [line for line in lines if "gap" in line]


@pytest.mark.parametrize(
    ("blessed", "pushed", "verdict"),
    [
        (True, "serving/crowdflow/17", "Blessed. Pushed to runs/x/serving/crowdflow/17"),
        (True, "s3://city/serving/17", "Blessed. Pushed to s3://city/serving/17"),
        (False, None, "Refused, nothing pushed."),
        (False, "s3://city/serving/17", f"{UNBLESSED} Pushed to s3://city/serving/17"),
    ],
)
def test_the_outcome_says_whether_a_model_was_blessed_and_pushed(blessed, pushed, verdict):
    assert verdict in printed(blessed=blessed, pushed_model=pushed)


def test_a_model_that_does_worse_than_promised_is_said_loudly():
    errors = {"rmse_active_cells": 6.0}
    verdict = {
        "first": "2024-05-06",
        "last": "2024-05-06",
        "days": 1,
        "metrics": {"model": errors, "last_week": errors},
        "best_naive": "last_week",
        "promise": {"rmse_active_cells": 4.0},
        "allowed": 5.0,
        "worse": True,
    }
    compared = {"first": "a", "last": "a", "rmse": 5.0, "served_rmse": 6.0, "newer_days": 0}
    live = LIVE | {"verdict": verdict, "candidate": compared}
    lines = printed(blessed=True, pushed_model="serving/crowdflow/17", live=live)
    assert (
        "live: version 16 DOES WORSE THAN ITS TEST PROMISED, RMSE 6.000 on 2024-05-06, 4.000 promised, up to "
        "5.000 allowed; best naive forecast 6.000 (last_week)"
    ) in lines
    assert (
        "On a to a, which neither has seen, the new model's RMSE is 5.000 and that of version 16, 6.000"
    ) in lines
