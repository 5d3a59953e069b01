"""Single cases of the plan, by hand: which windows exist, where the splits end, and the errors."""

import datetime as dt

import numpy as np
import pytest
from worlds import paper

from crowdflow.components.window_gen.frames import first_flows
from crowdflow.components.window_gen.windows import active_cells
from crowdflow.config import SplitConfig
from crowdflow.flows import windows
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.naive import earlier_means, naive_sources
from crowdflow.schema import features
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import date_to_minutes

DAY = 1440
NO_HOLIDAYS = np.zeros(0, np.int64)
MONDAY = date_to_minutes(dt.date(2014, 4, 7))


def hours(days, minutes=60):
    return MONDAY + np.arange(0, days * DAY, minutes)


def plan(starts, windows_config, minutes=60, **split):
    split = SplitConfig(**{"test_days": 1, "eval_share": None, "eval_days": 1, **split})
    return windows.plan_windows(starts, minutes, windows_config, split)


def test_offsets_are_most_recent_first_and_a_lag_has_one_map_for_each_step():
    found = windows.window_offsets(paper.lags(closeness=3, period=2, trend=1, horizon=2), 24)
    assert {name: list(offsets) for name, offsets in found.items()} == {
        "closeness": [-1, -2, -3],
        "period": [-24, -23, -48, -47],
        "trend": [-168, -167],
        "target": [0, 1],
    }
    assert list(windows.window_offsets(paper.lags(0, 1, 0), 24)) == ["period", "target"]


def test_every_lag_of_the_longest_horizon_is_known_at_the_origin():
    for lags, horizon in ((paper.lags(1, 2, 2, 24), 24), (paper.lags(1, 0, 2, 168), 168)):
        found = windows.window_offsets(lags, 24)
        assert len(found.pop(features.TARGET)) == horizon
        assert max(offsets.max() for offsets in found.values()) == -1


def test_drops_are_counted_by_the_first_missing_interval():
    starts = np.delete(hours(5), 60)  # 12:00 on the third day
    found = plan(starts, paper.lags(closeness=2, period=1, trend=0))
    # The first day's 00:00 and 01:00 lack closeness, its other hours the day before.
    assert found.dropped == {"closeness-1": 2, "closeness-2": 2, "period-1": 22 + 1}
    assert found.missing_intervals == 1
    assert {name: len(origins) for name, origins in found.origins.items()} == {
        "train": 24 + 23 - 2,
        "eval": 24 - 1,
        "test": 24,
    }


def test_a_horizon_crosses_midnight_but_no_border():
    found = plan(hours(4), paper.lags(closeness=1, period=0, trend=0, horizon=6))
    assert found.dropped == {
        "closeness-1": 1,
        "target+1": 1,
        "target+2": 1,
        "target+3": 1,
        "target+4": 1,
        "target+5": 1,
        "straddles_eval": 5,
        "straddles_test": 5,
    }
    assert list(found.origins["train"]) == list(MONDAY + 60 * np.arange(1, 43))
    assert list(found.origins["eval"]) == list(MONDAY + 60 * np.arange(48, 67))
    assert list(found.origins["test"]) == list(MONDAY + 60 * np.arange(72, 91))


def test_a_window_that_straddles_both_borders_is_counted_once():
    lags = paper.lags(closeness=1, period=0, trend=0, horizon=5)  # two days and a half
    message = "No windows for eval:.*'straddles_eval': 2, 'straddles_test': 4}"
    with pytest.raises(DataError, match=message):
        plan(hours(9, 720), lags, 720, test_days=3)


def test_splits_by_date_and_by_share_follow_target_time():
    lags = paper.lags(closeness=1, period=0, trend=0)
    dates = {"test_days": None, "test_start": "2014-04-12"}
    by_date = plan(hours(6), lags, **dates, eval_days=None, eval_start="2014-04-10")
    assert by_date.test_start == MONDAY + 5 * DAY
    assert [by_date.origins[split][0] for split in windows.SPLITS] == [
        MONDAY + 60,
        MONDAY + 3 * DAY,
        MONDAY + 5 * DAY,
    ]
    by_share = plan(hours(6), lags, eval_days=None, eval_share=0.1)
    assert list(map(len, by_share.origins.values())) == [107, 12, 24]  # a tenth of 119, rounded up
    assert by_share.origins["eval"][-1] == MONDAY + 5 * DAY - 60


def test_half_a_last_day_is_a_whole_test_day():
    found = plan(hours(4)[:-12], paper.lags(closeness=1, period=0, trend=0))
    assert found.test_start == MONDAY + 3 * DAY
    assert len(found.origins["test"]) == 12


@pytest.mark.parametrize(
    ("starts", "split", "message"),
    [
        (
            hours(1),
            {},
            "No windows for train and eval: 24 frames from 2014-04-07 00:00 to .* 23:00",
        ),
        (hours(5), {"test_days": 30}, "No windows for train and eval: .*'test': 119"),
        (hours(5), {"eval_days": 30}, "No windows for train: .*'eval': 95"),
        (hours(5), {"test_days": None, "test_start": "2015-01-01"}, "No windows for eval and test"),
        (
            hours(5),
            {"eval_days": None, "eval_start": "2014-04-12"},
            "No windows for eval: .*'train': 95, 'eval': 0, 'test': 24",
        ),
        (hours(5)[:1], {}, "No windows for train and eval and test: 1 frames"),
        (hours(0), {}, "expected frames, received none"),
    ],
)
def test_a_split_without_windows_is_an_error_that_lists_the_windows(starts, split, message):
    with pytest.raises(DataError, match=message):
        plan(starts, paper.lags(closeness=1, period=0, trend=0), **split)


def test_naive_forecasts_look_across_gaps_longer_than_a_week():
    starts = np.concatenate([hours(2), hours(2) + 21 * DAY])
    target = MONDAY + 22 * DAY
    found = naive_sources(starts, np.array([target, target + 60]), 2, 60)
    np.testing.assert_array_equal(found["last_interval"], [[target - 60] * 2, [target] * 2])
    last_week = MONDAY + DAY + 60 * np.array([[0, 1], [1, 2]])
    np.testing.assert_array_equal(found["last_week"], last_week)
    alone = naive_sources(hours(2), np.array([MONDAY + DAY]), 1, 60)
    assert alone["last_week"] == alone["last_interval"] == MONDAY + DAY - 60


def test_historical_average_is_the_mean_of_all_earlier_frames_of_the_slot():
    week = 7 * DAY
    starts = MONDAY + np.array([0, 60, week, 3 * week, 4 * week + 60])
    maps = np.array([8, 5, 2, 100, 7], np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 2, 1, 2))
    maps = maps.astype(np.float32)

    def read(times):
        return maps[windows.locate(starts, times)]

    found, means = earlier_means(starts, read, starts)
    assert list(found) == list(MONDAY + np.array([week, 3 * week, 4 * week + 60]))
    assert means.dtype == np.float32 and means.shape == (3, 2, 1, 2)
    assert list(means[:, 1, 0, 1]) == [8, 5, 5]
    none, means = earlier_means(starts[:2], read, starts[:2])
    assert len(none) == len(means) == 0


def test_a_window_can_be_gathered_before_its_target_is_known():
    starts, lags = hours(2), paper.lags(closeness=2, period=1, trend=0, horizon=3)
    maps = np.arange(48, dtype=np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 1, 1, 2), np.float32)
    origin = np.array([MONDAY + 2 * DAY])
    found = windows.gather(starts, maps, origin, lags, 60, NO_HOLIDAYS, with_target=False)
    assert {name: list(v[0, :, 0, 0, 0]) for name, v in found.items()} == {
        "closeness": [47, 46],
        "period": [24, 25, 26],
    }
    with pytest.raises(DataError, match="Expected a frame at 2014-04-09 00:00, found none"):
        windows.gather(starts, maps, origin, lags, 60, NO_HOLIDAYS)
    with pytest.raises(DataError, match="Expected a frame at 2014-04-06 23:00, found none"):
        windows.gather(starts, maps, np.array([MONDAY]), lags, 60, NO_HOLIDAYS)


def test_active_cells_have_flow_before_the_window_and_the_test_period_in_either_direction():
    maps = np.zeros((3, 1, 4, 2), np.float32)
    maps[0, 0, 0, 0] = maps[1, 0, 1, 1] = maps[2, 0, 2, 0] = 1
    first = first_flows(FrameBlock(hours(1)[:3], maps))
    assert (first < MONDAY + 120).tolist() == [[True, True, False, False]]
    origins = MONDAY + 60 * np.arange(5)
    every = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
    assert active_cells(first, origins, MONDAY + 1000)[:, 0].tolist() == every
    assert active_cells(first, origins, MONDAY + 120)[:, 0].tolist() == [
        *every[:3],
        *every[2:3] * 2,
    ]
