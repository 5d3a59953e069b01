"""What a page shows, against pandas."""

import numpy as np
import pandas as pd
import pytest

from crowdflow.config import GridConfig
from crowdflow.flows.frames import FrameBlock
from crowdflow.maps.content import WEEK, content

GRID = GridConfig(2, 3)
HOUR = 60
NOON = 18_000 * 1440 + 720


def frames(hours=5 * 168, gaps=()):
    starts = NOON - 5 * WEEK + np.arange(hours) * HOUR
    starts = starts[~np.isin(np.arange(hours), gaps)]
    random = np.random.default_rng(1)
    return FrameBlock(starts, random.poisson(9, (len(starts), 2, 3, 2)).astype(np.float32))


def forecasts(origins, steps):
    starts = np.asarray(origins)[:, None] + np.arange(steps) * HOUR
    flows = np.broadcast_to(
        np.arange(starts.size, dtype=np.float32)[:, None, None, None], (starts.size, 2, 3, 2)
    )
    return starts, flows.reshape(*starts.shape, 2, 3, 2)


def test_every_interval_has_the_forecast_that_was_made_last():
    starts, flows = forecasts([NOON, NOON + HOUR, NOON + 3 * HOUR], 3)
    made = content("x", GRID, HOUR, starts, flows, frames())
    assert made.times.tolist() == [NOON + k * HOUR for k in range(6)]
    assert made.steps.tolist() == [1, 1, 2, 1, 2, 3]
    assert made.forecast[:, 0, 0, 0].tolist() == [0, 3, 4, 6, 7, 8]


def test_the_usual_is_the_mean_of_the_same_time_of_the_week():
    known = frames(hours=5 * 168 + 4, gaps=[3, 170, 171, 4 * 168 + 3])
    starts, flows = forecasts([NOON], 12)
    made = content("x", GRID, HOUR, starts, flows, known)
    table = pd.DataFrame(known.maps.reshape(len(known.starts), -1), index=known.starts)
    for time, usual in zip(made.times, made.usual):
        before = table[(table.index < time) & (table.index % WEEK == time % WEEK)]
        assert 2 <= len(before) <= 5
        np.testing.assert_allclose(usual.reshape(-1), before.mean(), rtol=1e-5)
    assert made.usual_words.endswith("in the 5 weeks before")
    first = NOON - WEEK
    assert made.records.starts[0] == first and made.records.starts[-1] == NOON + 3 * HOUR


def test_without_records_nothing_is_usual():
    starts, flows = forecasts([NOON], 2)
    empty = FrameBlock(np.empty(0, np.int64), np.empty((0, 2, 3, 2), np.float32))
    made = content("x", GRID, HOUR, starts, flows, empty)
    assert np.isnan(made.usual).all() and made.usual.shape == (2, 2, 3, 2)
    assert "not known" in made.usual_words and len(made.records.starts) == 0


def test_a_long_range_shows_its_last_week():
    starts, flows = forecasts(NOON - WEEK + np.arange(300) * HOUR, 1)
    made = content("x", GRID, HOUR, starts, flows, frames())
    assert len(made.times) == 168 and made.times[-1] == starts[-1, 0]


def test_intervals_to_leave_out_are_not_shown():
    starts, flows = forecasts([NOON], 4)
    made = content("x", GRID, HOUR, starts, flows, frames(), [NOON + HOUR])
    assert made.times.tolist() == [NOON, NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert made.steps.tolist() == [1, 3, 4]
    assert len(content("x", GRID, HOUR, starts, flows, frames(), starts[0]).times) == 4


def test_a_band_is_that_of_its_forecast():
    starts, flows = forecasts([NOON, NOON + HOUR, NOON + 3 * HOUR], 3)
    ends = np.stack([flows / 2, flows * 2], -1)
    made = content("x", GRID, HOUR, starts, flows, frames(), [NOON + HOUR], band=(80, ends))
    assert made.percent == 80 and made.steps.tolist() == [1, 2, 1, 2, 3]
    np.testing.assert_array_equal(made.low, made.forecast / 2)
    np.testing.assert_array_equal(made.high, made.forecast * 2)
    without = content("x", GRID, HOUR, starts, flows, frames())
    assert without.percent is without.low is without.high is None


@pytest.mark.parametrize("steps", [1, 48])
def test_forecasts_alone_keep_their_numbers(steps):
    starts, flows = forecasts([NOON], steps)
    made = content("x", GRID, HOUR, starts, flows, frames())
    np.testing.assert_array_equal(made.forecast, flows[0])
