"""HDF5 flow files of the BikeNYC and TaxiBJ form: `data` [n, 2, H, W] and `date` `YYYYMMDDSS`."""

import contextlib
from collections.abc import Iterator

import h5py
import numpy as np

from crowdflow.config import Config
from crowdflow.ingest import date_range
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.records.records import Block, FrameRecords, by_day, positions
from crowdflow.schema import intervals
from crowdflow.schema.errors import CrowdFlowError, DataError
from crowdflow.schema.features import CHANNELS
from crowdflow.storage import files

# What h5py raises of a damaged file: KeyError of an object's header, TypeError and ValueError of a type.
_DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError)


@contextlib.contextmanager
def open_hdf5(path: str) -> Iterator[h5py.File]:
    """Opens an HDF5 file for reading.

    Raises:
      DataError: it is not an HDF5 file, is truncated, or cannot be read inside the `with` block.
    """
    try:
        with h5py.File(files.local(path), "r") as file:
            yield file
    except CrowdFlowError:  # a store that does not answer, say
        raise
    except _DAMAGED as error:
        raise DataError(
            f"{path}: expected a whole HDF5 file, but it cannot be read ({error})."
        ) from None


def require_data_sets(file: h5py.File, path: str, expected: tuple[str, ...]) -> None:
    """Checks that the named data sets exist.

    Raises:
      DataError: one is missing; lists those found.
    """
    found = sorted(name for name in file if isinstance(file[name], h5py.Dataset))
    missing = [name for name in expected if name not in found]
    if missing:
        raise DataError(
            f"{path}: expected the data sets {', '.join(expected)}; "
            f"{', '.join(missing)} missing. Found: {', '.join(found) or 'none'}."
        )


def count_slots(file: h5py.File, path: str) -> int:
    """The length of the data set `date`.

    Raises:
      DataError: it is not one-dimensional, or is empty.
    """
    shape = file["date"].shape
    if shape is None or len(shape) != 1 or not shape[0]:
        raise DataError(f"{path}, data set date: expected a list of slots, received shape {shape}.")
    return shape[0]


def require_shape(data: h5py.Dataset, path: str, expected: tuple[int, ...], words: str) -> None:
    """Checks the shape of a data set, and that it holds numbers.

    Raises:
      DataError: names the expected shape or type (`words` describes it) and the received one.
    """
    if data.shape != expected:
        raise DataError(
            f"{path}, data set {data.name.lstrip('/')}: expected shape {list(expected)} ({words}), "
            f"received {list(data.shape)}."
        )
    try:
        kind = data.dtype
    except (TypeError, ValueError) as error:  # a type that numpy does not have
        kind = error
    if not (isinstance(kind, np.dtype) and np.issubdtype(kind, np.number)):
        raise DataError(
            f"{path}, data set {data.name.lstrip('/')}: expected numbers, received {kind}."
        )


def inspect_flows(path: str, config: Config) -> int:
    """Checks the form and the slots of a flow file, without reading the flows.

    Returns:
      The number of frames, n.

    Raises:
      DataError: a data set is missing, empty or does not have the grid's shape, or a slot is invalid.
    """
    with open_hdf5(path) as file:
        require_data_sets(file, path, ("data", "date"))
        grid = (config.grid.rows, config.grid.cols)
        data, count = file["data"], count_slots(file, path)
        require_shape(
            data,
            path,
            (count, len(CHANNELS), *grid),
            "as many frames as date has slots, inflow and outflow, grid.rows, grid.cols",
        )
        minutes, where = config.intervals.minutes, f"{path}, data set date"
        slots = file["date"][:]
        starts = intervals.parse_slots(slots, minutes, where, intervals.first_slot(slots))
        intervals.require_whole_days(starts, minutes, where)
        return count


def read_flows(
    path: str, index: int, begin: int, end: int, config: Config
) -> Iterator[tuple[list[tuple[int, Block]], tallies.Tally]]:
    """Reads frames `begin` to `end`. A frame with a negative or non-finite flow is rejected as a whole.

    Args:
      path: the file.
      index: its index among the inputs.
      begin: first frame, counted from 0.
      end: one past the last.
      config: for the interval's length and the range of dates.

    Yields:
      Blocks by day, and the tally; once.

    Raises:
      DataError: the file cannot be read.
    """
    with open_hdf5(path) as file:
        flows, every = file["data"][begin:end], file["date"][:]
    where, first = f"{path}, data set date", intervals.first_slot(every)
    starts = intervals.parse_slots(every[begin:end], config.intervals.minutes, where, first)
    with np.errstate(over="ignore"):
        maps = flows.astype(np.float32)  # [n, 2, H, W]
    tally = tallies.Tally()
    tally.counts["records_read"] = len(maps)
    keep = ~date_range.outside(starts, config)
    tally.counts["records_left_out"] = int((~keep).sum())
    for reason, wrong in ((tallies.NON_FINITE, ~np.isfinite(maps)), (tallies.NEGATIVE, maps < 0)):
        for frame in np.flatnonzero(wrong.any(axis=(1, 2, 3)) & keep):
            keep[frame] = False
            channel, row, col = np.argwhere(wrong[frame])[0]
            value = (
                f"{CHANNELS[channel]} {flows[frame, channel, row, col]} in cell {row},{col} "
                f"at {intervals.format_start(starts[frame])}"
            )
            tally.rejected[reason] += 1
            tally.rejects.append(tallies.Reject(path, begin + int(frame), reason, value))
    rows = np.arange(begin, begin + len(maps))
    records = FrameRecords(
        positions(index, rows)[keep], starts[keep], np.moveaxis(maps, 1, -1)[keep]
    )
    yield list(by_day(records)), tally
