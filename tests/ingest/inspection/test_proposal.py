"""Configurations proposed from data: each loads and has windows, or an error says what is missing."""

import h5py
import numpy as np
import pandas as pd
import pytest

from crowdflow.config import Config
from crowdflow.flows.windows import plan_windows
from crowdflow.ingest.history import read_history
from crowdflow.ingest.inspection.proposal import as_yaml, propose
from crowdflow.schema.errors import DataError, DataNotFoundError

CHICAGO, BORDER = (41.88, -87.63), (41.73, -86.51)


def trips(path, days, per_hour=2, place=CHICAGO, step=0.02):
    """Trips between four places around one, so many in every hour."""
    hours = pd.date_range("2024-01-08", periods=24 * days, freq="H").repeat(per_hour)
    number = np.arange(len(hours))
    starts = hours + pd.to_timedelta(number % 50, unit="min")
    sides = {}
    for side, turn in (("start", 0), ("end", 1)):
        corner = (number + turn) % 4
        sides[f"{side}_lat"] = place[0] + step * (corner // 2)
        sides[f"{side}_lon"] = place[1] + step * (corner % 2)
    ends = starts + pd.Timedelta(minutes=7)
    times = {"start_time": starts.astype(str), "end_time": ends.astype(str)}
    pd.DataFrame({**times, **sides}).to_csv(path, index=False)
    return str(path)


def config_of(choices, folder):
    path = folder / "proposed.yaml"
    path.write_text(as_yaml(choices))
    return Config.load(path)


def windows(paths, config):
    starts = read_history(paths, config).frames.starts
    plan = plan_windows(starts, config.intervals.minutes, config.windows, config.split)
    return {split: len(origins) for split, origins in plan.origins.items()}


@pytest.mark.parametrize(("days", "test_days"), [(14, 2), (30, 7), (150, 28), (730, 28)])
def test_by_the_length_of_the_history(tmp_path, days, test_days):
    path = trips(tmp_path / "trips.csv", days)
    config = config_of(propose([path], {}), tmp_path)
    assert config.split.test_days == test_days
    found = windows([path], config)
    assert found["test"] == 24 * test_days and found["train"] >= 2 * found["test"]
    assert (config.intervals.timezone, config.transform.holiday_country) == (
        "America/Chicago",
        "US",
    )
    assert config.intervals.minutes == 60 and config.ingest.max_flow == 10
    assert config.grid.south < 41.88 < 41.9 < config.grid.north
    assert config.model.local and config.model.members == 4


def test_too_little_history_says_what_is_missing(tmp_path):
    path = trips(tmp_path / "trips.csv", 9)
    with pytest.raises(DataError, match="9 days of history, from 2024-01-08 .*Give more data"):
        propose([path], {})


def test_a_busy_city_has_half_hours(tmp_path):
    path = trips(tmp_path / "trips.csv", 14, per_hour=80)
    choices = propose([path], {"preset": "mine", "trips.max_hours": 5})
    assert choices[0].value == "mine" and choices[0].why == "as given"
    config = config_of(choices, tmp_path)
    assert (config.preset, config.trips.max_hours, config.intervals.minutes) == ("mine", 5, 30)
    assert windows([path], config)["test"] == 48 * config.split.test_days
    kept = config_of(propose([path], {"intervals.minutes": 15}), tmp_path)
    assert kept.intervals.minutes == 15


def test_across_a_border_of_time_zones_the_zone_is_to_be_set(tmp_path):
    path = trips(tmp_path / "trips.csv", 14, place=BORDER, step=-0.2)
    with pytest.raises(DataError, match="clocks meet: .*Chicago.* --set intervals.timezone="):
        propose([path], {})
    zone = {"intervals.timezone": "America/Chicago"}
    assert config_of(propose([path], zone), tmp_path).intervals.timezone == "America/Chicago"


@pytest.mark.parametrize("form", ["csv", "parquet", "h5"])
@pytest.mark.parametrize("minutes", [30, 60])
def test_records_without_a_box(tmp_path, form, minutes):
    starts = pd.date_range("2024-01-08", periods=21 * 1440 // minutes, freq=f"{minutes}min")
    path = tmp_path / f"flows.{form}"
    if form == "h5":
        slots = [f"{t:%Y%m%d}{(t.hour * 60 + t.minute) // minutes + 1:02d}" for t in starts]
        with h5py.File(path, "w") as file:
            file["date"] = np.array(slots, "S10")
            file["data"] = np.ones((len(starts), 2, 3, 5))
    else:
        cells = pd.DataFrame({"row": np.arange(15) // 5, "col": np.arange(15) % 5})
        table = pd.DataFrame({"interval_start": starts}).merge(cells, how="cross")
        table = table.assign(inflow=1, outflow=2)
        table.to_parquet(path) if form == "parquet" else table.to_csv(path, index=False)
    choices = propose([str(path)], {})
    config = config_of(choices, tmp_path)
    assert (config.grid.rows, config.grid.cols, config.intervals.minutes) == (3, 5, minutes)
    assert "set it: records have no position" in as_yaml(choices)
    assert windows([str(path)], config)["test"] == config.split.test_days * 1440 // minutes


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(DataNotFoundError, match="no file in this folder"):
        propose([str(tmp_path)], {})
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match="a.csv"):
        propose([str(tmp_path / "a.csv")], {})
