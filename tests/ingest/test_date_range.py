"""Which dates and files a range has, by their names alone."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import paper

from crowdflow.config import Config
from crowdflow.flows.windows import plan_windows, window_offsets
from crowdflow.ingest import date_range
from crowdflow.ingest.date_range import Bounds, Partition
from crowdflow.schema.errors import ConfigError, DataNotFoundError

EPOCH = dt.date(1970, 1, 1)


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - EPOCH).days


def make(pattern="{YYYY}/{MM}/{DD}", weeks=1, **more) -> Config:
    given = {"range.weeks": weeks, "range.pattern": pattern, "split.test_days": 2}
    given |= {f"windows.{name}": value for name, value in paper.LAGS.items()} | more
    return Config().replace(given)


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def daily(folder, first: str, days: int, form="%Y/%m/%d/flows.csv"):
    start = dt.date.fromisoformat(first)
    write(folder, *((start + dt.timedelta(days=n)).strftime(form) for n in range(days)))


def names(found, folder):
    return [path.removeprefix(f"{folder}/") for path in found.paths]


def test_no_range_leaves_everything_as_it_was_given():
    found = date_range.resolve(["a", "no/such/b"], Config())
    assert found == (Config(), ["a", "no/such/b"], 0, (), 0)
    assert date_range.bounds(Config()) is None
    assert not date_range.outside(np.arange(5) * 10**6, Config()).any()
    assert date_range.describe(found, ["a"]) is None


def test_the_range_is_the_weeks_and_the_history_of_their_lags():
    config = make(**{"range.last_date": "2024-05-05", "windows.trend": 2})
    assert date_range.bounds(config) == (day("2024-04-15"), day("2024-04-29"), day("2024-05-05"))
    starts = np.array([day("2024-04-15") * 1440 - 60, day("2024-04-15") * 1440])
    starts = np.append(starts, [day("2024-05-06") * 1440 - 60, day("2024-05-06") * 1440])
    assert date_range.outside(starts, config).tolist() == [True, False, False, True]


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*(st.integers(0, most) for most in (60, 3, 2, 2))), st.integers(1, 24), st.sampled_from([24, 48])
)  # fmt: skip
def test_the_history_is_the_furthest_day_that_a_window_looks_back_on(lags, horizon, per_day):
    names = ("closeness", "period", "trend", "average")
    windows = {**dict(zip(names, lags)), "horizon": horizon, "average_days": 0}
    if not sum(lags[:3]):
        windows["closeness"] = 1
    config = Config.from_dict({"windows": windows, "intervals": {"minutes": 1440 // per_day}})
    offsets = window_offsets(config.windows, per_day).values()
    furthest = min(int(part.min()) for part in offsets) // per_day  # of a target at midnight
    assert config.windows.history_days(per_day) == -furthest


def test_of_an_average_the_range_has_one_week_and_a_forecast_all():
    config = make(
        **{"range.last_date": "2024-05-05", "windows.average": 12, "windows.average_days": 14}
    )
    assert date_range.bounds(config) == (day("2024-04-21"), day("2024-04-29"), day("2024-05-05"))
    assert config.windows.history_days(24) == 12 * 7 + 1
    starts = np.arange(*(day(text) * 1440 for text in ("2024-04-21", "2024-05-06")), 60)
    first = plan_windows(starts, 60, config.windows, config.split).origins["train"][0]
    assert day("2024-04-28") <= first / 1440 <= day("2024-04-29")


def test_files_of_days_up_to_the_newest(tmp_path):
    daily(tmp_path, "2024-04-01", 30)
    write(tmp_path, "weather.csv", "2024/readme.txt", ".hidden")
    found = date_range.resolve([str(tmp_path)], make())
    assert found.config.range.last_date == "2024-04-30"
    assert found.span == day("2024-04-30")
    # A week, a week of trend before it, and a day whose trips may end in it.
    expected = [f"2024/04/{n:02d}/flows.csv" for n in range(16, 31)] + ["weather.csv"]
    assert names(found, tmp_path) == expected
    counters = date_range.describe(found, found.paths)
    assert counters == {
        "first_day": "2024-04-17",
        "first_target_day": "2024-04-24",
        "last_day": "2024-04-30",
        "files_left_out": 15,
        "days_without_file": 0,
        "days_without_file_listed": [],
    }
    before = [path for path in found.paths if date_range.is_before(path, found.config)]
    assert before == [str(tmp_path / "2024/04/16/flows.csv")]


def test_the_executor_reads_what_the_driver_found(tmp_path):
    daily(tmp_path, "2024-04-01", 30)
    first = date_range.resolve([str(tmp_path)], make())
    daily(tmp_path, "2024-05-01", 1)  # meanwhile a newer file came
    assert date_range.resolve([str(tmp_path)], make(), first.span) == first._replace(files=31)
    assert date_range.resolve([str(tmp_path)], make()).span == day("2024-05-01")


def test_files_of_months_by_their_names(tmp_path):
    write(tmp_path, *(f"JC-2019{n:02d}-trips.csv.zip" for n in range(1, 9)), "JC-all.csv")
    config = make("JC-{YYYY}{MM}-*.zip", weeks=4, **{"range.last_date": "2019-07-31"})
    found = date_range.resolve([str(tmp_path)], config)
    # 2019-06-27 is the first day of history.
    expected = ["JC-201906-trips.csv.zip", "JC-201907-trips.csv.zip", "JC-all.csv"]
    assert names(found, tmp_path) == expected
    assert found.files == 8
    newest = date_range.resolve([str(tmp_path)], make("JC-{YYYY}{MM}-*.zip", weeks=4))
    assert newest.config.range.last_date == "2019-08-31"
    # Given one by one, or by a pattern of the shell, they are the same files.
    listed = [str(tmp_path / name) for name in ("JC-201906-*.zip", "JC-201907-trips.csv.zip")]
    assert names(date_range.resolve(listed, config), tmp_path) == expected[:2]


@pytest.mark.parametrize(
    ("path", "pattern", "days"),
    [
        ("d/2024/02/x.csv", "{YYYY}/{MM}", ("2024-02-01", "2024-02-29")),
        ("d/2024/02/03", "{YYYY}/{MM}/{DD}", ("2024-02-03", "2024-02-03")),
        ("2024/02/20240203.csv", "{YYYY}/{MM}/{YYYY}{MM}{DD}.csv", ("2024-02-03",) * 2),
        ("2024/02/20240103.csv", "{YYYY}/{MM}/{YYYY}{MM}{DD}.csv", None),
        ("d/x-201912.v2.csv", "x-{YYYY}{MM}.v?.csv", ("2019-12-01", "2019-12-31")),
        ("d/x-201912av2.csv", "x-{YYYY}{MM}.v?.csv", None),
        ("d/a20191231b", "*{YYYY}{MM}{DD}*", ("2019-12-31", "2019-12-31")),
        ("d/2024/02/30/x.csv", "{YYYY}/{MM}/{DD}", None),
        ("d/2024/13/x.csv", "{YYYY}/{MM}", None),
        ("d/2024/02/03/deeper/x.csv", "{YYYY}/{MM}/{DD}", None),
        ("d12024/02/x.csv", "{YYYY}/{MM}", None),
    ],
)
def test_a_path_says_its_days(path, pattern, days):
    expected = days and tuple(map(day, days))
    assert date_range.partition_days(path, pattern) == expected


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("flows-20240401.parquet", "*{YYYY}{MM}*", ("2024-04-01", "2024-04-30")),
        ("flows-20240401.parquet", "*{YYYY}{MM}{DD}*", ("2024-04-01", "2024-04-01")),
        ("flows-202404.parquet", "*{YYYY}{MM}*", ("2024-04-01", "2024-04-30")),
        ("id1202404.csv", "*{YYYY}{MM}*", None),
        ("flows-2024041.csv", "*{YYYY}{MM}*", None),
        ("flows-202404011530.csv", "*{YYYY}{MM}{DD}*", None),
        ("a-20240401-1530.csv", "*{YYYY}{MM}{DD}*", ("2024-04-01", "2024-04-01")),
        ("x20240401.csv", "x{YYYY}{MM}{DD}.csv", ("2024-04-01", "2024-04-01")),
    ],
)
def test_a_date_is_never_read_out_of_the_middle_of_a_number(path, pattern, expected):
    found = date_range.partition_days(path, pattern)
    assert found == (expected and tuple(map(day, expected)))


@given(
    date=st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)),
    before=st.text("0123456789", max_size=4),
)
def test_every_day_of_a_daily_feed_is_its_own(date, before):
    path = f"flows-{before}{date:%Y%m%d}.parquet"
    expected = ((date - EPOCH).days,) * 2 if not before else None
    assert date_range.partition_days(path, "*{YYYY}{MM}{DD}*") == expected


def test_days_without_a_file_are_said(tmp_path):
    daily(tmp_path, "2024-04-01", 30)
    for n in (20, 21):
        (tmp_path / f"2024/04/{n}/flows.csv").unlink()  # an empty folder holds nothing
    found = date_range.resolve([str(tmp_path)], make())
    counters = date_range.describe(found, found.paths)
    assert counters["days_without_file_listed"] == ["2024-04-20", "2024-04-21"]
    words = date_range.in_words({**counters, "records_left_out": 1234})
    assert words == (
        "range: 2024-04-17 to 2024-04-30, targets from 2024-04-24; days without a file: 2 "
        "(2024-04-20, 2024-04-21); left out: files 15, records 1,234"
    )


def test_what_is_not_there_is_said(tmp_path):
    write(tmp_path, "flows.csv")
    with pytest.raises(DataNotFoundError) as raised:
        date_range.resolve([str(tmp_path)], make())
    assert str(raised.value) == (
        f"{tmp_path}: expected files that match range.pattern {{YYYY}}/{{MM}}/{{DD}}, received none. "
        "Found: flows.csv."
    )
    daily(tmp_path, "2024-04-01", 30)
    with pytest.raises(DataNotFoundError) as raised:
        date_range.resolve([str(tmp_path)], make(**{"range.last_date": "2024-05-02"}))
    assert "range.last_date 2024-05-02: expected a file of that date" in str(raised.value)
    assert str(raised.value).endswith("the newest files are of 2024-04-28, 2024-04-29, 2024-04-30.")
    with pytest.raises(DataNotFoundError, match="no/such"):
        date_range.resolve([str(tmp_path), "no/such"], make())
    with pytest.raises(ConfigError, match="range.last_date: expected a date"):
        date_range.bounds(make())


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 31)), max_size=40),
    st.integers(10, 50),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_no_file_with_a_day_of_the_range_is_left_out(spans, last, length, margin):
    dated = [Partition(str(n), first, first + more) for n, (first, more) in enumerate(spans)]
    limits = Bounds(last - length, last - length // 2, last)
    chosen, without = date_range.choose(dated, limits, margin)
    days = set(range(limits.first - margin, last + 1))
    for partition in dated:
        touches = bool(days & set(range(partition.first, partition.last + 1)))
        assert (partition in chosen) == touches
    held = {d for p in dated for d in range(p.first, p.last + 1)}
    assert without == [d for d in range(limits.first, last + 1) if d not in held]
