"""Scores against a plain recomputation with pandas, and what is not scored."""

import numpy as np
import pandas as pd
import pytest

from crowdflow.evaluation.score import (
    MISSING_CELLS,
    NO_HISTORY,
    NO_RECORD,
    Forecasts,
    score,
)
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.naive import naive_flows
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import to_datetime64

DAY, WEEK = 1440, 10080
NO_HOLIDAYS = np.zeros(0, np.int64)


@pytest.fixture
def city():
    """Five weeks of hourly frames; cell (2, 2) never has flow."""
    rng = np.random.default_rng(5)
    maps = rng.poisson(4, (24 * 35, 3, 3, 2)).astype(np.float32)
    maps[:, 2, 2] = 0
    return FrameBlock(np.arange(len(maps)) * 60, maps)


def forecasts_of(city, rows, steps=2, seed=1):
    """The truth of some frames and those after them, with errors."""
    noise = np.random.default_rng(seed).normal(0.2, 1, (len(rows), steps, 3, 3, 2))
    truth = city.maps[rows[:, None] + np.arange(steps)]
    return Forecasts(city.starts[rows], (truth + noise).astype(np.float32))


def as_frame(forecasts, city):
    """Every value with its truth, as a table."""
    index = np.indices(forecasts.flows.shape).reshape(5, -1)
    time = forecasts.origins[index[0]] + 60 * index[1]
    truth = dict(zip(city.starts.tolist(), city.maps))
    values = [truth[t][r, c, k] for t, r, c, k in zip(time.tolist(), *index[2:].tolist())]
    table = pd.DataFrame({"step": index[1] + 1, "row": index[2], "col": index[3], "truth": values})
    table["time"] = to_datetime64(time).astype("datetime64[ns]")
    table["error"] = forecasts.flows.reshape(-1).astype(np.float64) - table["truth"]
    return table


def errors(table, active=8, cells=9):
    """RMSE, MAE and bias over the active cells: errors in empty cells count, their number does not."""
    scale = cells / active
    error = table["error"]
    return (error**2).mean() ** 0.5 * scale**0.5, error.abs().mean() * scale, error.mean() * scale


def test_every_group_equals_a_plain_recomputation(city):
    made = forecasts_of(city, np.arange(24 * 28, 24 * 28 + 70))
    found = score(made, city, 60, NO_HOLIDAYS)
    table = as_frame(made, city)
    assert (found["scored"], found["active_cells"], found["left_out"]) == (140, 8, {})
    assert (found["first"], found["last"]) == ("1970-01-29 00:00", "1970-01-31 22:00")

    def same(values, part):
        own = [values["model"][f"{name}_active_cells"] for name in ("rmse", "mae", "bias")]
        assert own == pytest.approx(errors(part), rel=1e-6)

    same(found["by_step"]["1"], table[table.step == 1])
    same({"model": found["metrics"]["model"]}, table)
    for day, part in table.groupby(table.time.dt.strftime("%Y-%m-%d")):
        same(found["by_day"][day], part)
        assert found["by_day"][day]["scored"] == len(part) // 18
    for hour, part in table.groupby(table.time.dt.hour):
        same(found["by_hour"][str(hour)], part)
    cells = table.groupby(["row", "col"]).error.agg(lambda e: (e**2).mean() ** 0.5)
    assert np.array(found["by_cell"]["rmse_active_cells"]).reshape(-1) == pytest.approx(
        cells.to_numpy(), rel=1e-6
    )


def test_the_naive_forecasts_are_those_of_the_same_steps(city):
    rows = np.arange(24 * 28, 24 * 28 + 60)
    made = forecasts_of(city, rows)
    naive = naive_flows(city.starts, city.maps, made.origins, 2, 60, NO_HOLIDAYS)
    for name, flows in naive.items():
        own = score(Forecasts(made.origins, flows), city, 60, NO_HOLIDAYS)["metrics"]
        assert own["model"] == pytest.approx(own[name], rel=1e-9), name
    last_week = city.maps[(rows - 168)[:, None] + np.arange(2)]
    np.testing.assert_array_equal(naive["last_week"], last_week)
    np.testing.assert_array_equal(naive["last_interval"][:, 1], city.maps[rows - 1])
    weeks = np.stack([city.maps[rows - 168 * week] for week in range(1, 5)])
    np.testing.assert_allclose(naive["four_weeks"][:, 0], weeks.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(naive["historical_average"][:, 0], weeks.mean(axis=0), rtol=1e-6)


def test_the_future_changes_no_naive_forecast(city):
    origins = city.starts[24 * 28 : 24 * 29]
    before = naive_flows(city.starts, city.maps, origins, 1, 60, NO_HOLIDAYS)
    later = np.where(city.starts[:, None, None, None] >= origins[-1], 99, city.maps)
    after = naive_flows(city.starts, later.astype(np.float32), origins, 1, 60, NO_HOLIDAYS)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_what_is_missing_is_counted_and_not_scored(city):
    rows = np.arange(24 * 28, 24 * 28 + 10)
    made = forecasts_of(city, rows)
    made.flows[3, 1, 0, 0, 0] = np.nan
    gone = np.isin(city.starts, city.starts[rows[5]])
    frames = FrameBlock(city.starts[~gone], city.maps[~gone])
    found = score(made, frames, 60, NO_HOLIDAYS)
    # The interval of row 5 is the first step of one forecast and the second of another.
    assert found["left_out"] == {NO_RECORD: 2, MISSING_CELLS: 1}
    assert found["scored"] == 17
    assert found["intervals_without_record"] == {"1970-01-29": 1}
    whole = as_frame(made, city)
    time = to_datetime64(city.starts[rows[5]]).astype("datetime64[ns]")
    incomplete = (whole.time == to_datetime64(city.starts[rows[4]])) & (whole.step == 2)
    rest = whole[(whole.time != time) & ~incomplete]
    assert found["metrics"]["model"]["rmse_active_cells"] == pytest.approx(errors(rest)[0])


def test_forecasts_without_any_record_or_history(city):
    made = forecasts_of(city, np.arange(5), steps=1)
    with pytest.raises(DataError, match="No step of the forecasts can be scored: .*no record"):
        score(Forecasts(made.origins + 10**6, made.flows), city, 60, NO_HOLIDAYS)
    found = score(made, city, 60, NO_HOLIDAYS)
    assert found["left_out"] == {NO_HISTORY: 1} and found["scored"] == 4
