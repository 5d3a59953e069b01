"""What Kubeflow's pages show of a run: its numbers and its page."""

import json
from pathlib import Path

import pytest

from crowdflow.pipeline.kubeflow import shown
from crowdflow.schema.features import NAIVE_FORECASTS

WORSE = {"rmse_active_cells": 6.0, "mae_active_cells": 3.0}
ERRORS = {
    **dict.fromkeys(NAIVE_FORECASTS, WORSE),
    "historical_average": {"rmse_active_cells": 5.0, "mae_active_cells": 3.5},
    "model": {"rmse_active_cells": 4.0, "mae_active_cells": 2.5},
}
OF_THE_TEST = {
    "approved": 1,
    "rmse_active_cells": 4,
    "mae_active_cells": 2.5,
    "best_naive_rmse_active_cells": 5,
    "best_naive_mae_active_cells": 3,
}
LIVE = {"days": 3, "worse": False, "metrics": {"model": WORSE}}
OF_THE_DAYS = {
    "live_days": 3,
    "live_worse": 0,
    "live_rmse_active_cells": 6,
    "live_mae_active_cells": 3,
}


@pytest.mark.parametrize(
    ("live", "expected"), [(None, OF_THE_TEST), (LIVE, {**OF_THE_TEST, **OF_THE_DAYS})]
)
def test_numbers_and_page(tmp_path, live, expected):
    report = tmp_path / "report"
    report.mkdir()
    account = {"blessed": True, "metrics": ERRORS, "live": {"verdict": live}}
    (report / "metrics.json").write_text(json.dumps(account))
    (report / "index.html").write_text("<p>the report</p>")
    given = {
        name: {"artifacts": [{"uri": str(tmp_path / "out" / name)}]} for name in ("metrics", "page")
    }
    [metrics], [page] = (entry["artifacts"] for entry in shown.show(report, given).values())
    assert metrics["metadata"] == json.loads(Path(metrics["uri"]).read_text()) == expected
    assert Path(page["uri"]).read_text() == "<p>the report</p>"
