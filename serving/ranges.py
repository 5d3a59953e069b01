"""Which intervals to forecast."""

import datetime as dt
from collections.abc import Callable

import numpy as np

from crowdflow.flows.windows import missing_lags
from crowdflow.ingest.history import History
from crowdflow.schema.errors import ConfigError, DataError
from crowdflow.schema.intervals import MINUTES_PER_DAY, format_start
from crowdflow.serving.forecaster import Forecaster

_EPOCH = dt.datetime(1970, 1, 1)
_SHOWN = 5


def parse(text: str) -> int:
    """Wall-clock minutes of a local time such as `2014-09-21 08:00`, or of midnight on a date.

    Raises:
      ConfigError: it is no such text, or has seconds or a zone.
    """
    try:
        time = dt.datetime.fromisoformat(text.strip())
        if time.tzinfo or time.second or time.microsecond:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"Expected a local time such as '2014-09-21 08:00', or a date. Received: {text!r}."
        ) from None
    return int((time - _EPOCH).total_seconds()) // 60


def between(first: str | None, last: str | None, starts: np.ndarray, minutes: int) -> np.ndarray:
    """The intervals of a range, wall-clock minutes, int64 `[n]`.

    Args:
      first: time or date; None is the first frame's.
      last: time, or date, which is its last interval; None is the interval after the last frame.
      starts: of the frames, int64, ascending.
      minutes: length of an interval.

    Raises:
      ConfigError: a text is no time, or the range is empty.
    """
    begin = parse(first) if first else int(starts[0])
    end = parse(last) if last else int(starts[-1]) + minutes
    if last and len(last.strip()) == len("2014-09-21"):
        end += MINUTES_PER_DAY - minutes
    found = np.arange(-(-begin // minutes) * minutes, end + 1, minutes)
    if not len(found):
        raise ConfigError(
            f"Expected --from before --to. Received: {format_start(begin)} to {format_start(end)}."
        )
    return found


def span_of(
    at: str | None, first: str | None, last: str | None
) -> tuple[int | None, int | None] | None:
    """The first and last target that are asked for, wall-clock minutes, where None is the next after the records.

    Returns None where a range begins with the first record.

    Raises:
      ConfigError: a text is no time.
    """
    if at:
        return parse(at), parse(at)
    if last and not first:
        return None
    return parse(first) if first else None, parse(last) if last else None


def keep_possible(
    forecaster: Forecaster, history: History, wanted: np.ndarray, say: Callable[[str], None]
) -> np.ndarray:
    """Keeps the intervals that have every lag, and reports the others.

    Raises:
      DataError: none has.
    """
    windows, minutes = forecaster.config.windows, forecaster.config.intervals.minutes
    lost = missing_lags(history.frames.starts, wanted, windows, minutes)
    lines = [
        f"{format_start(target)} needs {format_start(time)} ({label})"
        for target, label, time in lost[:_SHOWN]
    ]
    summary = (
        f"left out {len(lost):,} of {len(wanted):,} forecasts for a missing interval: "
        + "; ".join([*lines, "..."] if len(lost) > _SHOWN else lines)
    )
    if len(lost) == len(wanted):
        raise DataError(f"No forecast can be made: {summary}.")
    if lost:
        say(summary)
    return np.setdiff1d(wanted, [target for target, _, _ in lost])
