"""What flows are like, in a few distributions by which two spans of time can be compared. Pure numpy.

Workdays and weekends are apart: a few days hold them in other shares than many weeks do, and that is no drift.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from crowdflow.schema.features import CHANNELS
from crowdflow.schema.intervals import MINUTES_PER_DAY, weekday

DAY_KINDS = ("workday", "weekend")
HOURS = 24
_OCTAVES = 24
# Between whole numbers of trips: 1, 2..3, 4..7, 8..15 and so on, so that doubled flows all move by one.
EDGES = 2.0 ** np.arange(_OCTAVES) - 0.5


@dataclasses.dataclass(frozen=True)
class Profile:
    """Distributions of the flows of several intervals, by feature name.

    Attributes:
      intervals: number of intervals.
      first: start of the first interval, wall-clock minutes.
      last: start of the last interval, wall-clock minutes.
      sizes: `inflow_workday` and so on: how many flows (of a cell in an interval) lie between two of `EDGES`,
        int64 `[len(EDGES) - 1]`. Empty cells are most of a sparse city and say little, so they are left out.
      trips: `inflow_workday_by_hour` and so on: trips by hour of the day, float64 `[24]`; `inflow_by_cell` and
        `outflow_by_cell`: by row * W + column, float64 `[H * W]`.
    """

    intervals: int
    first: int
    last: int
    sizes: dict[str, np.ndarray]
    trips: dict[str, np.ndarray]


def profile(starts: np.ndarray, maps: np.ndarray) -> Profile:
    """The distributions of some maps.

    Args:
      starts: wall-clock minutes of the intervals' starts, int64 `[n]`, at least one.
      maps: trips per interval, float32 `[n, H, W, 2]`.

    Returns:
      The profile, without the distributions in which nothing is.
    """
    sizes, trips = {}, {}
    weekend = weekday(starts) >= 5
    hours = starts % MINUTES_PER_DAY // 60
    for channel, name in enumerate(CHANNELS):
        flows = maps[..., channel].reshape(len(starts), -1)  # [n, H * W]
        for kind, chosen in zip(DAY_KINDS, (~weekend, weekend)):
            sizes[f"{name}_{kind}"] = np.histogram(np.minimum(flows[chosen], EDGES[-1]), EDGES)[0]
            totals = flows[chosen].sum(axis=1, dtype=np.float64)
            trips[f"{name}_{kind}_by_hour"] = np.bincount(hours[chosen], totals, HOURS)
        trips[f"{name}_by_cell"] = flows.sum(axis=0, dtype=np.float64)
    sizes, trips = (
        {name: counts for name, counts in part.items() if counts.any()} for part in (sizes, trips)
    )
    return Profile(len(starts), int(starts.min()), int(starts.max()), sizes, trips)


def merge(profiles: Iterable[Profile]) -> Profile:
    """The distributions of the maps of several profiles, at least one, of disjoint intervals."""
    total, *others = profiles
    for other in others:
        total = Profile(
            total.intervals + other.intervals,
            min(total.first, other.first),
            max(total.last, other.last),
            _added(total.sizes, other.sizes),
            _added(total.trips, other.trips),
        )
    return total


def _added(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    both = {name: counts + second[name] for name, counts in first.items() if name in second}
    return first | second | both
