"""The paper's windows on the real BikeNYC: counts, dates and naive forecasts as published."""

import datetime as dt
from pathlib import Path

import h5py
import numpy as np
import pytest

from crowdflow.components.window_gen.frames import first_flows
from crowdflow.config import presets
from crowdflow.flows import windows
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.naive import earlier_means, naive_sources, recent_means
from crowdflow.schema.intervals import minutes_to_date, parse_slots

BIKENYC = Path(__file__).parents[3] / "shared/data/bikenyc/NYC14_M16x8_T60_NewEnd.h5"
pytestmark = pytest.mark.skipif(
    not BIKENYC.exists(), reason="BikeNYC is not next to the checkout, in shared/data"
)


NO_HOLIDAYS = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def block():
    with h5py.File(BIKENYC) as file:
        maps = np.moveaxis(file["data"][:], 1, -1).astype(np.float32)
        return FrameBlock(parse_slots(file["date"][:], 60, "BikeNYC"), maps)


@pytest.fixture(scope="module", params=["bikenyc-paper", "bikenyc"])
def plan(request, block):
    config = presets.load(request.param)
    return config, windows.plan_windows(block.starts, 60, config.windows, config.split)


def test_counts_and_dates(plan, block):
    config, found = plan
    counts = {split: len(origins) for split, origins in found.origins.items()}
    if config.preset == "bikenyc-paper":
        assert counts == {"train": 3132, "eval": 348, "test": 240}
        assert found.dropped == {"closeness-1": 1, "closeness-2": 1, "closeness-3": 1} | {
            "period-1": 21,
            "period-2": 24,
            "period-3": 24,
            "period-4": 24,
            "trend-1": 72,
            "trend-2": 168,
            "trend-3": 168,
            "trend-4": 168,
        }
    assert counts["test"] == 240
    days = sorted({minutes_to_date(start) for start in found.origins["test"]})
    assert (days[0], days[-1], len(days)) == (dt.date(2014, 9, 21), dt.date(2014, 9, 30), 10)
    assert (found.missing_intervals, found.naive_fallbacks) == (0, 0)


def test_the_scaling_maximum_comes_from_the_train_windows(plan, block):
    config, found = plan
    maps = windows.gather(
        block.starts, block.maps, found.origins["train"], config.windows, 60, NO_HOLIDAYS
    )
    assert max(values.max() for values in maps.values()) == 267


def test_naive_forecasts_score_as_published(plan, block):
    _, found = plan
    active = (first_flows(block) < found.test_start).sum()
    assert active == 81
    test = found.origins["test"]
    target = block.maps[windows.locate(block.starts, test)]
    naive = {
        name: block.maps[windows.locate(block.starts, source[:, 0])]
        for name, source in naive_sources(block.starts, test, 1, 60).items()
    }
    known, naive["historical_average"] = earlier_means(
        block.starts, lambda times: block.maps[windows.locate(block.starts, times)], test
    )
    np.testing.assert_array_equal(known, test)
    means = recent_means(block.starts, block.maps, test[:, None], NO_HOLIDAYS, target[:, None])
    naive |= {name: found[:, 0] for name, found in means.items()}
    # The published scale: errors in every cell, over the active ones.
    rmse = {
        name: np.sqrt(np.sum((found - target) ** 2.0) / (len(test) * 2 * active))
        for name, found in naive.items()
    }
    # Those of the last weeks and days come from another program.
    expected = {"historical_average": 8.14, "last_week": 10.65, "last_interval": 11.76}
    expected |= {"four_weeks": 8.972, "weeks_and_days": 8.508}
    assert rmse == pytest.approx(expected, abs=0.01)
