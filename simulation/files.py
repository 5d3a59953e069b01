"""Writes the simulated city as files in the published forms that the readers accept."""

import dataclasses
import filecmp
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crowdflow.flows import frames
from crowdflow.schema.errors import ConfigError, DataError
from crowdflow.schema.features import CHANNELS, WEATHER_KINDS
from crowdflow.schema.intervals import MINUTES_PER_DAY, to_datetime64
from crowdflow.simulation import city as simulated_city
from crowdflow.simulation import world as simulated_world
from crowdflow.simulation.city import CitySpec, SimulatedCity

DEFAULT_FORMATS = ("parquet", "weather", "holidays")
SPEC_FILE = ".city.json"
_PARTIAL = ".partial"
_CSV_FILES = 3
_MOST_SLOTS = 99  # a slot of the HDF5 form has two digits


def ensure_city(out: Path, spec: CitySpec, formats: Sequence[str] = DEFAULT_FORMATS) -> list[Path]:
    """Simulates a city into a folder, unless the folder already holds exactly that city.

    `.city.json` records what the folder holds: spec, formats and a fingerprint of the generator's code. It is
    written last, so the next call repairs an interrupted one. A file whose bytes would not change keeps its
    modification time, so caches keyed by it stay valid. Files that do not belong to the city are never touched.

    Args:
      out: the folder; made if absent.
      spec: the city.
      formats: see `write_city`.

    Returns:
      The data files, in the order of the formats.

    Raises:
      ConfigError: see `write_city`.
      DataError: `out` is a file.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: expected a folder for the simulated city. Received: a file.")
    saved = out / SPEC_FILE
    expected = {"spec": dataclasses.asdict(spec), "formats": list(formats), "code": _code()}
    held = _read_json(saved)
    names = held.pop("files", [])
    if held == expected and all((out / name).is_file() for name in names):
        return [out / name for name in names]
    partial = out / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    written = [path.name for path in write_city(simulated_city.simulate(spec), partial, formats)]
    saved.unlink(missing_ok=True)
    for name in written:
        if not ((out / name).is_file() and filecmp.cmp(partial / name, out / name, shallow=False)):
            (partial / name).replace(out / name)
    for name in set(names) - set(written):
        (out / name).unlink(missing_ok=True)
    text = json.dumps({**expected, "files": written}, indent=2)
    (partial / SPEC_FILE).write_text(text + "\n", encoding="utf-8")
    (partial / SPEC_FILE).replace(saved)
    shutil.rmtree(partial)
    return [out / name for name in written]


def write_city(
    city: SimulatedCity, out: Path, formats: Sequence[str] = DEFAULT_FORMATS
) -> list[Path]:
    """Writes a city. The same city always gives the same bytes.

    Args:
      city: what `simulate` drew.
      out: the folder; made if absent.
      formats: any of
        `parquet`: flow records, `flows.parquet`;
        `csv`: the same records in several files, `flows-1.csv` and so on;
        `h5`: frames in the BikeNYC form, `flows.h5`;
        `weather`: the TaxiBJ meteorology form, one slot per flow interval, `weather.h5`;
        `holidays`: one YYYYMMDD per line, `holidays.txt`;
        `trips`: one row per trip, `trips.csv`.

    Returns:
      The files, in the order of the formats.

    Raises:
      ConfigError: a format is unknown, or the intervals are too short for the slots of an HDF5 form.
    """
    for name in formats:
        if name not in _WRITERS:
            expected = ", ".join(_WRITERS)
            raise ConfigError(f"city formats: expected any of {expected}. Received: {name!r}.")
    out.mkdir(parents=True, exist_ok=True)
    return [path for name in formats for path in _WRITERS[name](city, out)]


def city_records(city: SimulatedCity) -> pd.DataFrame:
    """A city's flow records, `flows.frames.flow_records`, as a data frame.

    Returns:
      interval_start (naive local datetime64[ns]), row, col, inflow, outflow (int64, trips per interval), in order
      of time and cell.
    """
    records = frames.flow_records(frames.FrameBlock(city.starts, city.frames))
    records["interval_start"] = records["interval_start"].astype("datetime64[ns]")
    for channel in CHANNELS:
        records[channel] = records[channel].astype(np.int64)
    return pd.DataFrame(records)


def _write_parquet(city: SimulatedCity, out: Path) -> list[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = out / "flows.parquet"
    table = pa.Table.from_pandas(city_records(city), preserve_index=False)
    pq.write_table(table.replace_schema_metadata(), path, coerce_timestamps="ms")
    return [path]


def _write_csv(city: SimulatedCity, out: Path) -> list[Path]:
    records = city_records(city)
    paths = [out / f"flows-{part + 1}.csv" for part in range(_CSV_FILES)]
    bounds = np.linspace(0, len(records), _CSV_FILES + 1).astype(int)
    for path, begin, end in zip(paths, bounds, bounds[1:]):
        records[begin:end].to_csv(path, index=False, date_format="%Y-%m-%d %H:%M")
    return paths


def _write_h5(city: SimulatedCity, out: Path) -> list[Path]:
    maps = np.moveaxis(city.frames, -1, 1).astype(np.float64)  # [n, 2, H, W]
    return [_write_datasets(out / "flows.h5", {"date": _slots(city), "data": maps})]


def _write_weather(city: SimulatedCity, out: Path) -> list[Path]:
    datasets = {
        "date": _slots(city),
        "Temperature": city.weather["temperature"].to_numpy(),
        "WindSpeed": city.weather["wind_speed"].to_numpy(),
        "Weather": np.eye(WEATHER_KINDS)[city.weather["weather"]],
    }
    return [_write_datasets(out / "weather.h5", datasets)]


def _write_holidays(city: SimulatedCity, out: Path) -> list[Path]:
    path = out / "holidays.txt"
    path.write_text("".join(f"{day:%Y%m%d}\n" for day in city.holidays), encoding="ascii")
    return [path]


def _write_trips(city: SimulatedCity, out: Path) -> list[Path]:
    path = out / "trips.csv"
    city.trips.to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S", float_format="%.6f")
    return [path]


_WRITERS: dict[str, Callable[[SimulatedCity, Path], list[Path]]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "h5": _write_h5,
    "weather": _write_weather,
    "holidays": _write_holidays,
    "trips": _write_trips,
}


def _write_datasets(path: Path, datasets: dict[str, np.ndarray]) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            # Timestamps in the file would give other bytes on each call.
            file.create_dataset(name, data=values, track_times=False)
    return path


def _slots(city: SimulatedCity) -> np.ndarray:
    """The intervals as `YYYYMMDDSS`, bytes `[n]`, SS from 01."""
    minutes = city.spec.minutes
    if MINUTES_PER_DAY // minutes > _MOST_SLOTS:
        raise ConfigError(f"city.minutes: expected 15 or more for HDF5 files. Received: {minutes}.")
    times = to_datetime64(city.starts)
    days = [text.replace("-", "") for text in np.datetime_as_string(times, "D")]
    slots = city.starts % MINUTES_PER_DAY // minutes + 1
    return np.array([f"{day}{slot:02d}" for day, slot in zip(days, slots)], "S10")


def _code() -> str:
    """Fingerprint of the code that makes the files: they are rewritten when it changes."""
    digest = hashlib.sha256()
    for file in (frames.__file__, simulated_world.__file__, simulated_city.__file__, __file__):
        digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _read_json(path: Path) -> dict:
    """The object in a JSON file; empty where it is absent or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
