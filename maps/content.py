"""What a page shows: forecasts, what is usual at their time, and the records before and after. Pure numpy."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from crowdflow.config import GridConfig
from crowdflow.flows.frames import FrameBlock
from crowdflow.flows.naive import earlier_means
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY

WEEK = DAYS_PER_WEEK * MINUTES_PER_DAY


@dataclasses.dataclass(frozen=True, eq=False)
class Content:
    """The content of a page. Flows are inflow, then outflow, in trips per interval; times are wall-clock minutes.

    Attributes:
      title: what the page is called, any text.
      grid: with a box, cells lie on a map; without, they have rows and columns alone.
      minutes: length of an interval.
      times: intervals of the slider, int64 `[n]`, ascending, n of at least 1.
      steps: how many intervals ahead each was forecast, from 1, int64 `[n]`.
      forecast: float32 `[n, H, W, 2]`.
      usual: what is usual at each, float32 `[n, H, W, 2]`; NaN where it is not known.
      usual_words: what the usual is, for the reader.
      records: what came, from a week before the first of `times` to the last, where it is known.
      percent: of flows, as many as are expected in the band around each forecast; None without a band.
      low: its lower ends, float32 `[n, H, W, 2]`, or None.
      high: its upper ends, likewise.
    """

    title: str
    grid: GridConfig
    minutes: int
    times: np.ndarray
    steps: np.ndarray
    forecast: np.ndarray
    usual: np.ndarray
    usual_words: str
    records: FrameBlock
    percent: int | None = None
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def content(
    title: str,
    grid: GridConfig,
    minutes: int,
    starts: np.ndarray,
    flows: np.ndarray,
    frames: FrameBlock,
    left_out: Sequence[int] = (),
    band: tuple[int, np.ndarray] | None = None,
) -> Content:
    """Gathers a page: each interval with the forecast that was made last, of at most the last week.

    Args:
      title: as in `Content`.
      grid: likewise.
      minutes: likewise.
      starts: intervals of every forecast's steps, wall-clock minutes, int64 `[m, h]`, m and h of at least 1.
      flows: the forecasts, float32 `[m, h, H, W, 2]`.
      frames: records, in order of time.
      left_out: intervals not to show, such as those that daylight saving skips, unless it is all.
      band: percent and ends, float32 `[m, h, H, W, 2, 2]`, of the band around each forecast, or None.
    """
    m, h = starts.shape
    steps = np.tile(np.arange(h), m)
    order = np.lexsort((steps, starts.reshape(-1)))
    times, first = np.unique(starts.reshape(-1)[order], return_index=True)
    rows = order[first]
    shown = times > times[-1] - WEEK
    if not np.isin(times[shown], left_out).all():
        shown &= ~np.isin(times, left_out)
    times, rows = times[shown], rows[shown]
    percent, ends = band or (None, np.zeros((*flows.shape, 0)))
    ends = np.moveaxis(ends.reshape(m * h, *ends.shape[2:])[rows], -1, 0)
    near = (frames.starts >= times[0] - WEEK) & (frames.starts <= times[-1])
    return Content(
        title,
        grid,
        minutes,
        times,
        steps[rows] + 1,
        flows.reshape(m * h, *flows.shape[2:])[rows],
        usual_at(times, frames, flows.shape[2:]),
        _words(int(times[-1] - frames.starts[0]) // WEEK if len(frames.starts) else 0),
        FrameBlock(frames.starts[near], frames.maps[near]),
        percent,
        *ends,
    )


def _words(weeks: int) -> str:
    if weeks < 1:
        return "not known, as the records do not reach back a week"
    span = "week" if weeks == 1 else f"{weeks} weeks"
    return f"mean of the records at the same time of the week, as far as known in the {span} before"


def usual_at(times: np.ndarray, frames: FrameBlock, shape: tuple[int, ...]) -> np.ndarray:
    """The mean of all frames before each interval in its slot of the week.

    Args:
      times: int64 `[n]`, ascending.
      frames: in order of time.
      shape: `(H, W, 2)`.

    Returns:
      float32 `[n, H, W, 2]`, NaN where there is no such frame.
    """
    found = np.full((len(times), *shape), np.nan, np.float32)
    if len(frames.starts):
        known, means = earlier_means(
            frames.starts,
            lambda sought: frames.maps[np.searchsorted(frames.starts, sought)],
            times,
        )
        if len(known):
            found[np.isin(times, known)] = means
    return found
