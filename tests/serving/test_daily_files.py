"""Of daily files, a forecast opens those of the days that it looks back on, and no others."""

import numpy as np
import pandas as pd
import pytest

from crowdflow.serving.connect import connect
from crowdflow.serving.forecaster import Forecaster
from crowdflow.serving.ranges import parse, span_of

PATTERN = "{YYYY}/{MM}/{DD}/flows.parquet"


@pytest.fixture(scope="module")
def daily(pushed, tmp_path_factory):
    """The city's flow records in a file for each day, beside two years of days that nobody could read."""
    folder = tmp_path_factory.mktemp("daily")
    [flows] = [path for path in pushed.data if "weather" not in path and "holidays" not in path]
    table = pd.read_parquet(flows)
    days = table["interval_start"].dt.strftime("%Y/%m/%d")
    for day, rows in table.groupby(days):
        (folder / day).mkdir(parents=True)
        rows.to_parquet(folder / day / "flows.parquet", index=False)
    first = table["interval_start"].min().normalize()
    for day in pd.date_range(end=first - pd.Timedelta(days=1), periods=730):
        path = folder / day.strftime("%Y/%m/%d") / "flows.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"not a Parquet file")
    return [str(folder), *(path for path in pushed.data if path != flows)]


@pytest.mark.parametrize("back", [0, 30])
def test_only_the_days_that_the_lags_need_are_opened(back, daily, pushed, history):
    forecaster = Forecaster(connect(str(pushed.serving)))
    forecaster.layout = PATTERN
    target = int(history.frames.starts[-1]) + 60 - back * 60
    read = forecaster.read(daily, (target, target) if back else (None, None))
    side = len(pushed.data) - 1
    needed = forecaster.config.windows.history_days(24) + 1  # its own day, too
    assert needed <= read.counters["files"] - side <= needed + 1  # trips may end a day later
    found = forecaster.forecast(read, np.array([target]))
    np.testing.assert_array_equal(
        found.flows, forecaster.forecast(history, np.array([target])).flows
    )


def test_files_of_other_names_are_all_read(pushed, history):
    forecaster = Forecaster(connect(str(pushed.serving)))
    assert forecaster.layout is None
    for forecaster.layout in (None, PATTERN):
        read = forecaster.read(pushed.data, (None, None))
        np.testing.assert_array_equal(read.frames.starts, history.frames.starts)


def test_the_span_of_what_is_asked_for():
    at = "2014-09-21 08:00"
    assert span_of(at, None, None) == (parse(at), parse(at))
    assert span_of(None, None, None) == (None, None)
    assert span_of(None, at, None) == (parse(at), None)
    assert span_of(None, None, at) is None
