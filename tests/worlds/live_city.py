"""A city whose forecasts are scored day by day."""

import numpy as np
import pytest

from crowdflow.config import Config
from crowdflow.evaluation import live
from crowdflow.evaluation.score import Forecasts
from crowdflow.flows.frames import FrameBlock

DAY, HOURS = 1440, range(24)
NO_HOLIDAYS = np.zeros(0, np.int64)
CONFIG = Config.from_dict(
    {
        "grid": {"rows": 3, "cols": 3},
        "windows": {
            "closeness": 2,
            "period": 0,
            "trend": 0,
            "horizon": 2,
            "average": 0,
            "average_days": 0,
        },
    }
)


@pytest.fixture
def city():
    """Five weeks of hourly frames; cell (2, 2) never has flow."""
    maps = np.random.default_rng(5).poisson(4, (24 * 35, 3, 3, 2)).astype(np.float32)
    maps[:, 2, 2] = 0
    return FrameBlock(np.arange(len(maps)) * 60, maps)


def without(city, gone):
    return FrameBlock(city.starts[~gone], city.maps[~gone])


def of_day(city, day, hours=HOURS):
    """Forecasts of some hours of a day, two steps each, that are wrong by about 1."""
    origins = day * DAY + 60 * np.array(hours)
    noise = np.random.default_rng(day).normal(0.2, 1, (len(origins), 2, 3, 3, 2))
    rows = np.minimum(origins[:, None] // 60 + np.arange(2), len(city.maps) - 1)
    return Forecasts(origins, (city.maps[rows] + noise).astype(np.float32))


def line_of(city, day, forecasts, lost=(), promise=None, version="7"):
    line = live.day_line(day, version, forecasts, lost, city, CONFIG, NO_HOLIDAYS)
    return line | {"promise": promise}
