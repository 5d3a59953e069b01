"""The quantiles of what has been usual: those of a cell's earlier flows in the same slot of the week."""

from collections.abc import Sequence

import numpy as np

from crowdflow.flows.quantiles import QuantileSums
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, weekday
from crowdflow.storage.map_store import MapStore


def hour_of_week(
    store: MapStore, times: np.ndarray, active: np.ndarray, levels: Sequence[float]
) -> QuantileSums:
    """Judges them, with all flows before the first interval as the earlier ones; a weekday at a time.

    Args:
      store: the frames.
      times: intervals that are forecast, int64 `[n]`, ascending; each has a frame.
      active: bool `[H, W]`, cells that count.
      levels: of the quantiles.
    """
    sums = QuantileSums.zero(levels)
    before = store.starts[store.starts < times[0]]
    for day in range(DAYS_PER_WEEK):
        known, wanted = (t[weekday(t) == day] for t in (before, times))
        if not (known.size and wanted.size):
            continue
        starts, maps = store.read(np.unique(known // MINUTES_PER_DAY).tolist())
        maps = maps[np.isin(starts, known)][:, active]  # [k, cells, 2]
        truths = store.maps(wanted)[:, active]
        for slot in np.unique(wanted % MINUTES_PER_DAY):
            earlier = maps[known % MINUTES_PER_DAY == slot]
            if len(earlier):
                usual = np.moveaxis(np.quantile(earlier, levels, axis=0), 0, -1)
                for flows in truths[wanted % MINUTES_PER_DAY == slot]:
                    sums.add(flows, usual)
    return sums
