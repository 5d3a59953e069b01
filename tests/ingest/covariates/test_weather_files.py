"""Weather tables, and meteorology with its own slot length: what is known when."""

import datetime as dt
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crowdflow.ingest import sources
from crowdflow.ingest.covariates import side_files, weather_files
from crowdflow.schema.errors import ConfigError, DataError
from crowdflow.schema.intervals import date_to_minutes, from_datetime64

SHARED = Path(__file__).parents[4] / "shared/data/weather"
DAY = date_to_minutes(dt.date(2014, 4, 1))
DAILY = """"DATE","NAME","TMAX","RAIN"
"2014-04-02","a","50","0.5"

"2014-04-01","a","40",""
"2014-03-31","a","30","0"
"""


def known(weather, starts, max_age_hours=24.0):
    return side_files.covariates(np.asarray(starts), None, weather, max_age_hours)


def test_a_day_is_known_when_it_is_over(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text(DAILY)
    weather = weather_files.read_table([str(path)], ["TMAX"], "DATE", None)
    assert weather.unused == 0
    hours = np.arange(0, 96)
    found = known(weather, DAY + 60 * hours)
    assert found["weather_values"].dtype == np.float32 and found["weather_values"].shape == (96, 1)
    # The first of April has the row of the last of March. The third has none: the second's row is too old by then.
    values = [30.0] * 24 + [40.0] * 24 + [50.0] * 25 + [0.0] * 23
    assert found["weather_values"][:, 0].tolist() == values
    np.testing.assert_array_equal(found["weather_known"], np.array(values) > 0)


def test_a_row_with_an_empty_field_is_left_out(tmp_path):
    path = tmp_path / "w.csv"
    path.write_text(DAILY)
    weather = weather_files.read_table([str(path)], ["RAIN", "TMAX"], "DATE", None)
    assert weather.unused == 1
    np.testing.assert_array_equal(weather.values["weather_values"], [[0, 30], [0.5, 50]])
    found = known(weather, [DAY, DAY + 1440, DAY + 1441, DAY + 2880])
    assert found["weather_known"].tolist() == [1, 1, 0, 1]
    assert found["weather_values"].tolist() == [[0, 30], [0, 30], [0, 0], [0.5, 50]]


@pytest.mark.parametrize(
    "minutes, first", [(None, 9 * 60 + 51), (30, 9 * 60 + 21), (180, 11 * 60 + 51)]
)
def test_an_hour_is_known_when_it_is_over(tmp_path, minutes, first):
    path = tmp_path / "w.csv.gz"
    rows = ["time,t", "2014-04-01T08:50:30,7", "2014-04-01 08:51,8", "2014-04-01 12:00:00,9"]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    weather = weather_files.read_table([str(path)], ["t"], "time", minutes)
    assert weather.unused == 1  # a begun minute counts whole: the first two end together
    found = known(weather, DAY + np.arange(24 * 60))
    values = found["weather_values"][:, 0]
    assert np.flatnonzero(found["weather_known"])[0] == first
    assert values[first] == 7
    assert np.flatnonzero(values == 9)[0] == 12 * 60 + (minutes or 60)


@pytest.mark.parametrize("hour", ["00:00:00", "07:00"])
def test_days_written_with_times_are_not_taken_for_hours(tmp_path, hour):
    path = tmp_path / "w.csv"
    path.write_text(f"DATE,x\n2014-04-01 {hour},1\n2014-04-02 {hour},2\n")
    with pytest.raises(DataError, match="w.csv, column DATE: .*ingest.weather_minutes: 1440"):
        weather_files.read_table([str(path)], ["x"], "DATE", None)
    weather = weather_files.read_table([str(path)], ["x"], "DATE", 1440)
    start = DAY + int(hour[:2]) * 60
    assert weather.known_from.tolist() == [start + 1440, start + 2880]


def test_nothing_of_an_interval_or_later_is_seen(tmp_path, city):
    """Replaces the rows from some time on: nothing changes before the end of the first of them."""
    random = np.random.default_rng(4)
    daily = [(np.datetime64("2014-03-28") + d, 1440) for d in range(8)]
    hourly = [(np.datetime64("2014-03-31T22:00") + np.timedelta64(h, "h"), 60) for h in range(80)]
    for rows in (daily, hourly):
        for cut in random.integers(1, len(rows), 5):
            tables = []
            for other in (0, 1000):
                path = tmp_path / f"{other}.csv"
                lines = [f"{t},{n + other * (n >= cut)}" for n, (t, _) in enumerate(rows)]
                path.write_text("\n".join(["DATE,x", *lines]))
                weather = weather_files.read_table([str(path)], ["x"], "DATE", None)
                tables.append(known(weather, city.starts)["weather_values"])
            same = (tables[0] == tables[1]).all(axis=1)
            time, minutes = rows[cut]
            ends = from_datetime64(time) + minutes
            np.testing.assert_array_equal(same, city.starts < ends)


@pytest.mark.parametrize(
    "text, match",
    [
        ("DATE,x\n2014-04-01,1\n2014-04-02,wet\n", "line 3, column x: expected a number.*'wet'"),
        ("DATE,x\n04/01/2014,1\n", "line 2: expected a date YYYY-MM-DD.*'04/01/2014'"),
        ("DATE,x\n2014-04-01T00:00+02:00,1\n", "line 2: .*a time zone"),
        ("DATE,x\n,1\n", "line 2: expected a date"),
        ("DATE,x\n\n\n", "expected rows of weather"),
        ("DATE,x\n2014-04-01,1,2\n", "cannot be read .*Expected 2 fields in line 2, saw 3"),
        ("DATE,y\n2014-04-01,1\n", "expected the columns DATE, x; x missing. Found: DATE, y"),
    ],
)
def test_what_is_no_table_is_refused_with_file_and_line(tmp_path, text, match):
    path = tmp_path / "w.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=match) as error:
        weather_files.read_table([str(path)], ["x"], "DATE", None)
    assert str(path) in str(error.value)


def test_a_truncated_gzip_is_refused(tmp_path):
    path = tmp_path / "w.csv.gz"
    path.write_bytes(gzip.compress(b"DATE,x\n" + b"2014-04-01,1\n" * 500)[:-20])
    with pytest.raises(DataError, match="w.csv.gz: expected a CSV file"):
        weather_files.read_table([str(path)], ["x"], "DATE", None)


def test_the_header_tells_weather_from_flows(tmp_path, city, csv_file):
    flows = csv_file(tmp_path / "a.csv", city.table())
    weather = tmp_path / "w.csv"
    weather.write_text(DAILY)
    config = city.config(weather_columns=["TMAX"])
    kinds = [s.kind for s in sources.inspect_sources([flows, str(weather)], config)]
    assert kinds == [sources.TABLE_CSV, sources.WEATHER_CSV]
    with pytest.raises(
        DataError, match="weather_columns is set: expected a CSV file with the columns DATE, TMAX"
    ):
        sources.inspect_sources([flows], config)


def test_values_of_a_table_are_written_to_frames(tmp_path, city, ingest):
    flows = city.write_hdf5(tmp_path / "flows.h5")
    path = tmp_path / "w.csv"
    path.write_text(DAILY)
    found = ingest([flows, str(path)], city.config(weather_columns=["RAIN", "TMAX"]))
    day = (city.starts - DAY) // 1440
    expected = np.array([[0, 30], [0, 0], [0.5, 50]])[day]
    expected[city.starts == DAY + 1440] = 0, 30  # a day old, no more
    np.testing.assert_array_equal(found.covariates["weather_values"], expected)
    np.testing.assert_array_equal(found.covariates["weather_known"], expected.any(axis=1))
    assert ingest.counters["weather_observations_unused"] == 1
    assert ingest.counters["weather_unknown"] == (~expected.any(axis=1)).sum()


@pytest.mark.parametrize(
    "ingest, match",
    [
        ({"weather": True, "weather_columns": ["a"]}, "one of weather and weather_columns"),
        ({"weather_columns": ["a", "a"]}, "distinct columns"),
        ({"weather_columns": ["DATE"]}, "distinct columns"),
        ({"weather_minutes": 7}, "a divisor of 1440"),
    ],
)
def test_settings_that_do_not_go_together(city, ingest, match):
    with pytest.raises(ConfigError, match=match):
        city.config(**ingest)


@pytest.mark.skipif(
    not SHARED.exists(), reason="the weather files are not next to the checkout, in shared/data"
)
def test_central_park_by_day():
    path = str(SHARED / "central_park_weather.csv")
    columns = ["PRCP", "SNOW", "SNWD", "TMAX", "TMIN"]
    weather = weather_files.read_table([path], columns, "DATE", None)
    assert weather.unused == 1  # a day without SNOW
    table = pd.read_csv(path, index_col="DATE")[columns]
    starts = DAY + 60 * np.arange(24 * 30)
    found = known(weather, starts)
    assert found["weather_known"].all()
    for start, values in zip(starts, found["weather_values"]):
        before = dt.datetime(1970, 1, 1) + dt.timedelta(minutes=int(start)) - dt.timedelta(days=1)
        np.testing.assert_array_equal(values, table.loc[str(before.date())].to_numpy(np.float32))


@pytest.mark.skipif(
    not SHARED.exists(), reason="the weather files are not next to the checkout, in shared/data"
)
def test_half_hourly_weather_of_2014_beside_hourly_flows():
    path = str(SHARED / "nyc_2014_half_hourly.h5")
    with pytest.raises(DataError, match="outside 01..24"):
        weather_files.read_meteorology([path], 60)
    every = weather_files.read_meteorology([path], 30)
    assert every.unused == 0 and (every.values["temperature"] == 0).sum() == 15
    weather = weather_files.read_meteorology([path], 30, missing_temperature=0.0)
    assert weather.unused == 15 and len(weather.known_from) == 17_520 - 15
    found = known(weather, DAY + 60 * np.arange(24))
    # At 08:00 the half hour from 07:30 has just ended.
    at = np.flatnonzero(weather.known_from == DAY + 480)[0]
    assert found["temperature"][8] == weather.values["temperature"][at]
    # Where 2014-01-15 11:30 is missing, noon has what came before.
    noon = date_to_minutes(dt.date(2014, 1, 15)) + 720
    assert noon not in weather.known_from
    before = np.flatnonzero(weather.known_from < noon)[-1]
    assert known(weather, [noon])["temperature"] == weather.values["temperature"][before] != 0
