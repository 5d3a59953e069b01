"""The quantiles of a cell's earlier flows in the same slot of the week, against plain loops."""

import numpy as np
import pytest

from crowdflow.evaluation.usual_quantiles import hour_of_week
from crowdflow.storage.map_store import MapStore, write_day, write_starts

LEVELS = (0.1, 0.5, 0.9)
WEEK = 7 * 1440


def test_only_flows_before_the_first_interval_in_its_slot_are_looked_at(tmp_path):
    random = np.random.default_rng(6)
    starts = 360 * np.arange(4 * 7 * 6)  # six weeks of quarter days
    starts = np.delete(starts, random.choice(120, 9, replace=False))
    maps = random.poisson(5, (len(starts), 2, 3, 2)).astype(np.float32)
    write_starts(str(tmp_path), starts)
    for day in np.unique(starts // 1440):
        write_day(str(tmp_path), day, maps[starts // 1440 == day])
    active = np.array([[True, False, True], [True, True, False]])
    times = starts[starts >= 5 * WEEK]
    found = hour_of_week(MapStore(str(tmp_path)), times, active, LEVELS)

    losses, count = [], 0
    for time in times:
        known = (starts < times[0]) & (starts % WEEK == time % WEEK)
        [truth] = maps[starts == time]
        for row, col in np.argwhere(active):
            for way in range(2):
                count += 1
                flow, earlier = truth[row, col, way], maps[known, row, col, way]
                for level, q in zip(LEVELS, np.rint(np.quantile(earlier, LEVELS)), strict=True):
                    losses.append(level * (flow - q) if flow > q else (1 - level) * (q - flow))
    assert found.count == count
    assert found.metrics()["pinball"] == pytest.approx(np.mean(losses))
