"""Quantiles of flows and how they are judged: calibration, coverage, width and pinball loss. Pure numpy.

A flow is a count, and stands for its unit: all values that round to it, from a half below to a half above, and for
zero those from 0 on. So quantiles are real numbers and never below zero, and rounded they are quantiles of the
count itself; a flow at the edge of an interval lies within it in part (Czado, Gneiting and Held, Biometrics 2009).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from crowdflow.schema.intervals import MINUTES_PER_DAY

MEDIAN = 0.5
# The naive quantiles: of earlier flows in the same slot of the week, and Poisson's around the historical average.
HOUR_OF_WEEK, POISSON = "hour_of_week", "poisson"
PARTS_OF_DAY = 4  # from midnight on


def units(flows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lower and upper end of each flow's unit, as `flows` is shaped."""
    return np.maximum(flows - 0.5, 0), flows + 0.5


def share_below(flows: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The share of each flow's unit that lies below a bound, within 0..1.

    Args:
      flows: trips per interval, `[...]`.
      bounds: trips per interval, `[..., Q]`.

    Returns:
      float64 `[..., Q]`.
    """
    low, high = (end[..., None] for end in units(flows))
    return np.clip((bounds - low) / (high - low), 0, 1)


def part_of_day(times):
    """The part of the day, within 0..3, of wall-clock minutes: an integer, or an array or tensor of integers."""
    return times % MINUTES_PER_DAY // (MINUTES_PER_DAY // PARTS_OF_DAY)


def pairs(levels: Sequence[float]) -> dict[int, tuple[int, int]]:
    """The intervals between two levels that are as far from 0 as from 1: percent -> their indices."""
    found = {}
    for index, level in enumerate(levels):
        opposite = [k for k, other in enumerate(levels) if abs(level + other - 1) < 1e-9]
        if level < MEDIAN and opposite:
            found[round(100 * (1 - 2 * level))] = (index, opposite[0])
    return dict(sorted(found.items()))


def shown_interval(levels: Sequence[float]) -> tuple[int, int, int] | None:
    """The interval to show where there is room for one: percent and indices of its levels.

    It is that of 80%, or else the widest; None where no two levels belong together.
    """
    found = pairs(levels)
    if not found:
        return None
    percent = 80 if 80 in found else max(found)
    return percent, *found[percent]


def quantile_name(level: float) -> str:
    """The name of a quantile in a column's, such as `p05`, or `p97_5` for 0.975."""
    whole, _, rest = f"{100 * level:.10g}".partition(".")
    return f"p{whole.zfill(2)}" + (f"_{rest}" if rest else "")


def median_of(quantiles: np.ndarray, levels: Sequence[float]) -> np.ndarray | None:
    """The median of the count, `[...]` of quantiles `[..., Q]`; None where it is not among the levels."""
    return np.rint(quantiles[..., list(levels).index(MEDIAN)]) if MEDIAN in levels else None


def metric_names(levels: Sequence[float]) -> tuple[str, ...]:
    """The names of `QuantileSums.metrics`."""
    return tuple(QuantileSums.zero(levels).metrics())


@dataclasses.dataclass
class QuantileSums:
    """Sums over flows and the quantiles that were forecast for them, of all cells together or of each.

    Attributes:
      levels: of the quantiles, Q of them, ascending.
      below: sums of the shares of units below each quantile, float64 `[*cells, Q]`.
      pinball: sums of the pinball losses of the rounded quantiles, float64 `[*cells, Q]`, trips.
      width: sums of the widths of `pairs`, float64 `[*cells, pairs]`, trips.
      count: number of flows in each sum.
    """

    levels: tuple[float, ...]
    below: np.ndarray
    pinball: np.ndarray
    width: np.ndarray
    count: int = 0

    @classmethod
    def zero(cls, levels: Sequence[float], cells: Sequence[int] = ()) -> "QuantileSums":
        """Sums over no flows; `cells` is the shape of what is summed apart."""
        shape = *cells, len(levels)
        return cls(
            tuple(levels), np.zeros(shape), np.zeros(shape), np.zeros((*cells, len(pairs(levels))))
        )

    def add(self, flows: np.ndarray, quantiles: np.ndarray) -> "QuantileSums":
        """Adds flows `[..., *cells]` and their quantiles `[..., *cells, Q]`, trips per interval."""
        levels, cells = np.array(self.levels), self.below.shape[:-1]
        flows = np.asarray(flows, np.float64).reshape(-1, *cells)
        quantiles = np.asarray(quantiles, np.float64).reshape(*flows.shape, len(levels))
        over = flows[..., None] - np.rint(quantiles)
        self.below = self.below + share_below(flows, quantiles).sum(axis=0)
        self.pinball = self.pinball + np.maximum(levels * over, (levels - 1) * over).sum(axis=0)
        ends = [quantiles[..., high] - quantiles[..., low] for low, high in pairs(levels).values()]
        if ends:
            self.width = self.width + np.stack(ends, axis=-1).sum(axis=0)
        self.count += len(flows)
        return self

    def merge(self, other: "QuantileSums") -> "QuantileSums":
        """Adds other sums of the same shape to these."""
        for name in ("below", "pinball", "width", "count"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def of(self, cells: np.ndarray) -> "QuantileSums":
        """The sums of some cells together; bool, as `cells` is shaped."""
        parts = (part[cells].sum(axis=0) for part in (self.below, self.pinball, self.width))
        return QuantileSums(self.levels, *parts, self.count * int(cells.sum()))

    def calibration(self) -> list[float]:
        """For each quantile the share of all flows below it: its level, if well calibrated."""
        return [float(share) for share in self.below / (self.count or np.nan)]

    def metrics(self) -> dict[str, float]:
        """Of all flows: `pinball`, the mean over the levels, and each interval's `coverage` and `width`."""
        count = self.count or np.nan
        found = (
            {"pinball": float(self.pinball.sum() / len(self.levels) / count)} if self.levels else {}
        )
        for (percent, (low, high)), width in zip(pairs(self.levels).items(), self.width):
            found[f"coverage_{percent}"] = float((self.below[high] - self.below[low]) / count)
            found[f"width_{percent}"] = float(width / count)
        return found
