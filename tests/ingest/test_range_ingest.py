"""A range of dates through the real executor: the same frames as a full read, the counters, and the errors."""

import json

import numpy as np
import pandas as pd
import pytest
from worlds import paper

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import city_records, write_city

DAILY = "{YYYY}/{MM}/{DD}"
SPEC = CitySpec(rows=3, cols=4, days=28)  # 2024-04-01 .. 2024-04-28


@pytest.fixture(scope="module")
def city():
    return simulate(SPEC)


def make(last="2024-04-25", weeks=1, pattern=DAILY, **more) -> Config:
    grid = {n: getattr(SPEC, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    config = Config.from_dict({"grid": grid, "windows": {**paper.LAGS, "closeness": 2}})
    given = {"range.weeks": weeks, "range.last_date": last, "range.pattern": pattern}
    return config.replace({**given, "split.test_days": 2, **more})


def split_by(table: pd.DataFrame, column: str, form: str, folder, kind="csv"):
    """Writes a table as one file per day or month, by the date in a column."""
    for name, part in table.groupby(table[column].dt.strftime(form)):
        path = folder / f"{name}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        part.to_csv(path, index=False)
    return [str(folder)]


def of_days(city, first: int, last: int):
    """The city's starts and frames on some days of April."""
    days = city.starts // MINUTES_PER_DAY - SPEC.first // MINUTES_PER_DAY + 1
    keep = (days >= first) & (days <= last)
    return city.starts[keep], city.frames[keep]


def require_equal(found, city, first, last):
    starts, maps = of_days(city, first, last)
    np.testing.assert_array_equal(found.starts, starts)
    np.testing.assert_array_equal(found.maps, maps)


def test_days_of_flow_records(tmp_path, city, ingest):
    records = city_records(city)
    paths = split_by(records, "interval_start", "%Y/%m/%d/flows", tmp_path / "d")
    found = ingest(paths, make())
    require_equal(found, city, 12, 25)  # a week of targets, and a week of trend before it
    assert ingest.span == (pd.Timestamp("2024-04-25") - pd.Timestamp(0)).days
    assert ingest.counters["range"] == {
        "first_day": "2024-04-12",
        "first_target_day": "2024-04-19",
        "last_day": "2024-04-25",
        "files_left_out": 14,
        "days_without_file": 0,
        "days_without_file_listed": [],
    }
    assert ingest.counters["files"] == 14
    assert ingest.counters["ignored_names"] == []
    newest = ingest(paths, make(last=None))
    require_equal(newest, city, 15, 28)


def test_records_of_other_dates_are_left_out_and_counted_but_no_rejects(tmp_path, city, ingest):
    records = city_records(city)
    early = records["interval_start"] < "2024-04-12"
    records.loc[early, "inflow"] = -1  # wrong, but of no concern here
    paths = split_by(records, "interval_start", "flows-%Y%m", tmp_path)
    found = ingest(paths, make(pattern="flows-{YYYY}{MM}.csv"))
    require_equal(found, city, 12, 25)
    late = records["interval_start"] >= "2024-04-26"
    left_out = int(early.sum() + late.sum())
    counters = ingest.counters
    assert counters["range"]["records_left_out"] == left_out
    assert counters["records_read"] == len(records)
    assert not any(counters["rejected"].values())
    assert len(ingest.rejects) == 1
    # What is wrong within the range still stops the run, by its share of the range's records.
    records.loc[records["interval_start"] == "2024-04-20", "outflow"] = -1
    paths = split_by(records, "interval_start", "flows-%Y%m", tmp_path)
    wrong = int((records["interval_start"] == "2024-04-20").sum())
    with pytest.raises(DataError, match=rf"{wrong} of {len(records) - left_out:,} records"):
        ingest(paths, make(pattern="flows-{YYYY}{MM}.csv"))


def test_a_file_without_a_date_in_its_name(tmp_path, city, ingest):
    [flows] = write_city(city, tmp_path, ["h5"])
    found = ingest([str(flows)], make(pattern=None))
    require_equal(found, city, 12, 25)
    assert ingest.counters["range"]["records_left_out"] == 14 * 24
    history = read_history([str(flows)], make(pattern=None))
    np.testing.assert_array_equal(history.frames.starts, found.starts)
    assert history.counters == ingest.counters


@pytest.mark.parametrize(
    ("form", "pattern", "files", "left_out"),
    [("%Y/%m/%d/trips", DAILY, 15, 13), ("trips-%Y%m", "trips-{YYYY}{MM}.csv", 1, 0)],
    ids=["a file a day", "a file a month"],
)
def test_trips(tmp_path, city, ingest, form, pattern, files, left_out):
    paths = split_by(city.trips, "start_time", form, tmp_path / "trips")
    config = make(pattern=pattern)
    found = ingest(paths, config)
    # The trips of the day before are read for their ends.
    starts, maps = of_days(city, 12, 25)
    inside = np.isin(starts, found.starts)
    assert not maps[~inside].any() and (~inside).sum() < 6  # nothing moved at either end of it
    np.testing.assert_array_equal(found.maps, maps[inside])
    counters = ingest.counters
    assert counters["files"] == files
    left = counters["range"]
    assert left["files_left_out"] == left_out
    first, last = pd.Timestamp("2024-04-12"), pd.Timestamp("2024-04-26")
    if files == 1:
        for side in ("start", "end"):
            times = city.trips[f"{side}_time"]
            assert left[f"{side}s_left_out"] == int(((times < first) | (times >= last)).sum())
    for side in ("start", "end"):
        assert counters["trips_read"] == (
            counters[f"{side}s_binned"]
            + sum(counters[f"{side}_rejects"].values())
            + left[f"{side}s_left_out"]
        )
    assert len(ingest.rejects) == 1 + sum(counters["rejected"].values())
    history = read_history(paths, config)
    np.testing.assert_array_equal(history.frames.maps, found.maps)
    assert history.counters == json.loads(json.dumps(counters))


def test_trips_that_end_after_midnight_reach_into_the_first_day(tmp_path, ingest):
    row = {"start_lat": 40.75, "start_lon": -73.98, "end_lat": 40.75, "end_lon": -73.98}
    times = pd.date_range("2024-04-10", "2024-04-26", freq="15min", inclusive="left")
    table = pd.DataFrame({"start_time": times, "end_time": times + pd.Timedelta(minutes=20), **row})
    paths = split_by(table, "start_time", "%Y/%m/%d/x", tmp_path)
    found = ingest(paths, make())
    assert len(found.starts) == 14 * 24
    assert (found.maps.sum(axis=(1, 2)) == 4).all()  # in the first hour too


def test_too_little_data_stops_with_what_was_needed_and_what_was_found(tmp_path, city, ingest):
    records = city_records(city)
    records = records[~records["interval_start"].dt.day.isin([13, 14, 15])]
    paths = split_by(records, "interval_start", "%Y/%m/%d/x", tmp_path)
    with pytest.raises(DataError) as raised:
        ingest(paths, make())
    assert str(raised.value) == (
        "Too little data: expected frames for 80% (range.min_share) of the 336 intervals from "
        "2024-04-12 to 2024-04-25, that is 269 or more. Received 264 (78.6%). Days without a file: "
        "3 (2024-04-13, 2024-04-14, 2024-04-15)."
    )
    assert len(ingest(paths, make(**{"range.min_share": 0.78})).starts) == 264
    with pytest.raises(
        DataError, match="No complete flow frame in 0 records, .* outside the range"
    ):
        ingest([f"{tmp_path}/2024/04/28/x.csv"], make(pattern=None))
