"""What a report shows of the test windows: sums over all of them, and the few that are drawn.

`n` is the number of test windows, `h` the horizon, `H, W` the grid; flows are inflow then outflow, in trips per
interval; times are wall-clock minutes (`schema.intervals`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Optional

import numpy as np

from crowdflow.components.flow_report.pairs import Pairs
from crowdflow.evaluation.score import MODEL
from crowdflow.flows.quantiles import PARTS_OF_DAY, QuantileSums, part_of_day, shown_interval
from crowdflow.schema.errors import DataError
from crowdflow.schema.features import NAIVE_FORECASTS
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, weekday

_BAND = "band"
IN_WEEK = ("truth", MODEL, "historical_average", "last_week")
# Hours of the day, start and end, from which the busiest interval of a typical day is shown.
_TIMES_OF_DAY = (("Morning peak", 6, 11), ("Midday", 12, 14), ("Evening peak", 15, 21))


class Batch(NamedTuple):
    """Some test windows in full.

    Attributes:
      times: start of each window's first target interval, int64 `[b]`.
      truth: float32 `[b, h, H, W, 2]`.
      forecasts: `MODEL` and each name of `schema.features.NAIVE_FORECASTS` -> its forecast, shaped as `truth`.
      quantiles: of the model, float32 `[b, h, H, W, 2, Q]`, or None where it has none.
    """

    times: np.ndarray
    truth: np.ndarray
    forecasts: dict[str, np.ndarray]
    quantiles: Optional[np.ndarray] = None


# Reads the windows batch by batch: all, or those of some first target intervals, int64 `[k]`.
Read = Callable[[Optional[np.ndarray]], Iterator[Batch]]


class Shown(NamedTuple):
    """A window that is drawn: why, its first target interval, and maps `[H, W, 2]` of the first step."""

    label: str
    time: int
    truth: np.ndarray
    prediction: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class TestPeriod:
    """The test windows as a report needs them; all but `step_rmse` are of the first step.

    Attributes:
      times: start of each window's first target interval, int64 `[n]`, increasing.
      active: bool `[H, W]`, cells with flow.
      busiest: row and column of the cell with the largest true flow.
      cell_flow: true flow, float64 `[H, W]`, of both directions and all windows.
      cell_rmse: each forecast's name -> float64 `[H, W]`, over both directions.
      cell_bias: mean of the model's forecast minus the truth, float64 `[H, W]`, over both directions.
      step_rmse: each forecast's name -> float64 `[h]`, over active cells.
      pairs: of the active cells' true flows and the model's forecasts.
      shown: the windows whose maps are drawn, at least one.
      week: times of the last seven days' windows, int64 `[m]`.
      week_maps: each name of `IN_WEEK` -> its flows then, float32 `[m, H, W, 2]`.
      week_band: the lower and upper end of `shown_interval` then, float32 `[m, H, W, 2, 2]`, or None.
      held: how the model's quantiles held by part of the day, each of cells `[H, W, 2]`; empty without quantiles.
    """

    __test__ = False  # for pytest, by its name

    times: np.ndarray
    active: np.ndarray
    busiest: tuple[int, int]
    cell_flow: np.ndarray
    cell_rmse: dict[str, np.ndarray]
    cell_bias: np.ndarray
    step_rmse: dict[str, np.ndarray]
    pairs: Pairs
    shown: list[Shown]
    week: np.ndarray
    week_maps: dict[str, np.ndarray]
    week_band: Optional[np.ndarray] = None
    held: tuple[QuantileSums, ...] = ()

    @property
    def busy_band(self) -> Optional[np.ndarray]:
        """The busiest cell's `week_band`, float32 `[m, 2, 2]`, or None."""
        return (
            None if self.week_band is None else self.week_band[:, self.busiest[0], self.busiest[1]]
        )

    @property
    def busy_week(self) -> dict[str, np.ndarray]:
        """Each name of `IN_WEEK` -> the busiest cell's flows in the week, float32 `[m, 2]`."""
        row, col = self.busiest
        return {name: maps[:, row, col] for name, maps in self.week_maps.items()}


def summarise(read: Read, active: np.ndarray, levels: Sequence[float] = ()) -> TestPeriod:
    """Reads all windows once for the sums, then those that are drawn and older than a week.

    Args:
      read: reads the windows, in any order.
      active: bool `[H, W]`, cells with flow.
      levels: of the model's quantiles.

    Raises:
      DataError: there is no window, two have the same time, or a grid is another than that of `active`.
    """
    sums, latest = _Sums(active, levels), _Maps(shown_interval(levels))
    for batch in read(None):
        sums.add(batch)
        latest.add(batch)
    if not sums.times:
        raise DataError("The report's test windows: expected at least one, received none.")
    times, total, errors = (np.concatenate(parts) for parts in (sums.times, sums.total, sums.error))
    order = np.argsort(times)
    times, total, errors = times[order], total[order], errors[order]
    if np.any(np.diff(times) == 0):
        raise DataError("The report's test windows: expected one for each time, received more.")
    busiest = np.unravel_index(np.argmax(sums.flow), active.shape)
    chosen = chosen_windows(times, total, errors)
    maps = dict(sorted(latest.found.items()))
    week = np.array([*maps], np.int64)
    week_maps = {name: np.stack([found[name] for found in maps.values()]) for name in IN_WEEK}
    bands = [found[_BAND] for found in maps.values() if _BAND in found]
    older = np.setdiff1d(times[[index for _, index in chosen]], week)
    for batch in read(older) if older.size else ():
        maps |= first_steps(batch, None)
    values = len(times) * 2
    share = active.size / max(int(active.sum()), 1)
    return TestPeriod(
        times=times,
        active=active,
        busiest=(int(busiest[0]), int(busiest[1])),
        cell_flow=sums.flow,
        cell_rmse={name: np.sqrt(found / values) for name, found in sums.cell_squares.items()},
        cell_bias=sums.cell_error / values,
        step_rmse={
            name: np.sqrt(found / values / active.size * share)
            for name, found in sums.step_squares.items()
        },
        pairs=sums.pairs,
        shown=[
            Shown(label, time, maps[time]["truth"], maps[time][MODEL])
            for label, time in ((label, int(times[i])) for label, i in chosen)
        ],
        week=week,
        week_maps=week_maps,
        week_band=np.stack(bands) if bands else None,
        held=tuple(sums.held) if any(one.count for one in sums.held) else (),
    )


class _Sums:
    """Sums over the windows, batch by batch."""

    def __init__(self, active: np.ndarray, levels: Sequence[float]):
        self._active = active
        cells = *active.shape, 2
        self.held = [QuantileSums.zero(levels, cells) for _ in range(PARTS_OF_DAY)]
        self.times: list[np.ndarray] = []
        self.total: list[np.ndarray] = []  # true flow of all cells by window
        self.error: list[np.ndarray] = []  # squared error of the model by window
        self.flow = np.zeros(active.shape)
        self.cell_error = np.zeros(active.shape)
        names = (MODEL, *NAIVE_FORECASTS)
        self.cell_squares = {name: np.zeros(active.shape) for name in names}
        self.step_squares: dict[str, np.ndarray] = dict.fromkeys(names, np.zeros(1))
        self.pairs = Pairs()

    def add(self, batch: Batch) -> None:
        if batch.truth.shape[2:] != (*self._active.shape, 2):
            raise DataError(
                f"The report's test windows: expected maps of {[*self._active.shape, 2]}. "
                f"Received: {[*batch.truth.shape[2:]]}."
            )
        for name, forecast in batch.forecasts.items():
            error = np.subtract(forecast, batch.truth, dtype=np.float64)
            if name == MODEL:
                self.cell_error += error[:, 0].sum(axis=(0, 3))
                self.error.append(np.square(error[:, 0]).sum(axis=(1, 2, 3)))
            np.square(error, out=error)
            self.cell_squares[name] += error[:, 0].sum(axis=(0, 3))
            self.step_squares[name] = self.step_squares[name] + error.sum(axis=(0, 2, 3, 4))
        first = batch.truth[:, 0].astype(np.float64)
        self.times.append(batch.times)
        self.total.append(first.sum(axis=(1, 2, 3)))
        self.flow += first.sum(axis=(0, 3))
        true, predicted = (
            flows[:, 0, self._active].reshape(-1, 2)
            for flows in (batch.truth, batch.forecasts[MODEL])
        )
        self.pairs.add(true, predicted)
        if batch.quantiles is not None:
            parts = part_of_day(batch.times)
            for part in np.unique(parts):
                mine = parts == part
                self.held[part].add(first[mine], batch.quantiles[mine, 0])


class _Maps:
    """The first step's maps of the last seven days' windows, by time, as `first_steps` has them."""

    def __init__(self, interval: Optional[tuple[int, int, int]]):
        self.found: dict[int, dict[str, np.ndarray]] = {}
        self._interval = interval

    def add(self, batch: Batch) -> None:
        """Takes windows in, and lets go of those that a later one leaves more than a week behind."""
        self.found |= first_steps(batch, self._interval)
        start = max(self.found) - DAYS_PER_WEEK * MINUTES_PER_DAY
        self.found = {time: maps for time, maps in self.found.items() if time > start}


def first_steps(
    batch: Batch, interval: Optional[tuple[int, int, int]]
) -> dict[int, dict[str, np.ndarray]]:
    """By time of a window and name of `IN_WEEK`, its flows in the first step, float32 `[H, W, 2]`.

    With a `shown_interval` also its ends, by `_BAND`, `[H, W, 2, 2]`.
    """
    sources = {name: {"truth": batch.truth, **batch.forecasts}[name] for name in IN_WEEK}
    if batch.quantiles is not None and interval:
        sources[_BAND] = batch.quantiles[..., list(interval[1:])]
    return {
        int(time): {name: source[index, 0].copy() for name, source in sources.items()}
        for index, time in enumerate(batch.times)
    }


def chosen_windows(
    times: np.ndarray, total: np.ndarray, errors: np.ndarray
) -> list[tuple[str, int]]:
    """The windows whose maps are shown: three of a typical working day, and the one with the largest error.

    The typical day is the one with the median flow among the working days (without any, among all
    days) that have the most windows.

    Args:
      times: int64 `[n]`, increasing.
      total: each window's true flow, `[n]`.
      errors: each window's squared error, `[n]`.

    Returns:
      Labels and indices into the windows; at least one, and no index twice.
    """
    day, hour = times // MINUTES_PER_DAY, times % MINUTES_PER_DAY / 60
    pool = weekday(times) < 5
    pool = pool if pool.any() else np.ones_like(pool)
    days, counts = np.unique(day[pool], return_counts=True)
    fullest = sorted(days[counts == counts.max()], key=lambda d: total[day == d].sum())
    typical = fullest[len(fullest) // 2]

    chosen = {}
    for label, start, end in _TIMES_OF_DAY:
        among = np.flatnonzero((day == typical) & (hour >= start) & (hour < end))
        if among.size:
            chosen[int(among[np.argmax(total[among])])] = label
    worst = int(np.argmax(errors))
    label = "Largest error"
    chosen[worst] = f"{chosen[worst]}, {label.lower()}" if worst in chosen else label
    return [(label, index) for index, label in chosen.items()]
