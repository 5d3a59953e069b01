"""A good small file of every kind that readers take, over two days of a grid of 2 x 2, for fuzzers to damage.

Each is of the box `BOX`, in New York's time. Some kinds need a second file beside them, or settings.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

BOX = {"south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
HOURS = [(day, hour) for day in (1, 2) for hour in range(24)]

RECORDS = "interval_start,row,col,inflow,outflow\n" + "".join(
    f"2024-04-0{day} {hour:02d}:00:00,{cell // 2},{cell % 2},{hour},{day}\n"
    for day, hour in HOURS
    for cell in range(4)
)
TRIPS = "start_time,end_time,start_lat,start_lon,end_lat,end_lon\n" + "".join(
    f"2024-04-0{day} {hour:02d}:{minute:02d}:00,2024-04-0{day} {hour:02d}:59:00,1.5,0.{minute},0.5,1.5\n"
    for day, hour in HOURS
    for minute in (11, 42)
)
POINTS = "id,time,latitude,longitude\n" + "".join(
    f"taxi-{taxi},2024-04-0{day} {hour:02d}:{minute:02d}:00,{0.1 + taxi},{minute / 30}\n"
    for day in (1, 2)
    for taxi in (0, 1)
    for hour in range(24)
    for minute in (1, 31)
)
WEATHER = "DATE,TMAX,AWND\n" + "".join(
    f"2024-0{m}-0{d},{d},{m}.5\n" for m in (3, 4) for d in range(1, 9)
)
HOLIDAYS = "20240401\n20240402\n20241225\n"
STATIONS = "id,name,latitude,longitude\n31,One,1.5,0.5\n32,Two,0.5,1.5\nA7,Three,0.5,0.5\n"
BY_STATION = "ride_id,start_time,end_time,start_station_id,end_station_id\n" + "".join(
    f"R{day}{hour},2024-04-0{day} {hour:02d}:11:00,2024-04-0{day} {hour:02d}:42:00,31,{('A7', '32')[hour % 2]}\n"
    for day, hour in HOURS
)
# Month first, on the 12-hour clock, with a duration, semicolons, decimal commas and an empty field too many.
SPELT = "start;seconds;lat;lon;lat2;lon2\n" + "".join(
    f"4/1{day}/2024 {hour % 12 or 12}:11 {('AM', 'PM')[hour // 12]};600;1,5;0,5;0,5;1,5;\n"
    for day, hour in HOURS
)
GEOLIFE = (
    "Geolife trajectory\r\nWGS 84\r\nAltitude is in Feet\r\nReserved 3\r\n0,2,255,My Track\r\n0\r\n"
    + "".join(
        f"{lat},0.5,0,492,45383.1,2024-04-0{day},{hour:02d}:{minute}:00\r\n"
        for day, hour in HOURS
        for minute, lat in ((11, 0.5), (21, 1.5))
    )
)


def _epoch(day: int, hour: int, minute: int) -> int:
    return int(
        pd.Timestamp(f"2024-04-0{day} {hour:02d}:{minute}", tz="America/New_York").timestamp()
    )


POLYLINES = "TRIP_ID,CALL_TYPE,TIMESTAMP,DAY_TYPE,MISSING_DATA,POLYLINE\n" + "".join(
    f'"T{day}{hour}","C","{_epoch(day, hour, 11)}","A","False","[[0.5,1.5],[1.5,0.5]]"\n'
    for day, hour in HOURS
)
MDS = [
    {
        "trip_id": f"T{day}{hour}",
        "start_time": _epoch(day, hour, 11) * 1000,
        "end_time": _epoch(day, hour, 42) * 1000,
        "start_location": {"lat": 1.5, "lng": 0.5},
        "end_location": {"lat": 0.5, "lng": 1.5},
    }
    for day, hour in HOURS
]
LINES = [
    {
        "type": "Feature",
        "properties": {name: trip[name] for name in ("trip_id", "start_time", "end_time")},
        "geometry": {"type": "LineString", "coordinates": [[0.5, 1.5], [1, 1], [1.5, 0.5]]},
    }
    for trip in MDS
]
OUTLINES = [
    {
        "type": "Feature",
        "properties": {"id": name},
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[x, y], [x + 0.2, y], [x + 0.2, y + 0.2], [x, y + 0.2], [x, y]]],
        },
    }
    for name, x, y in (("31", 0.4, 1.4), ("32", 1.4, 0.4), ("A7", 0.4, 0.4))
]
GRID = "dyna_id,type,time,row_id,column_id,inflow,outflow\n" + "".join(
    f"{number},state,2024-04-0{day}T{hour:02d}:00:00Z,{cell // 2},{cell % 2},{hour},{day}\n"
    for number, (cell, (day, hour)) in enumerate((c, when) for c in range(4) for when in HOURS)
)


def hdf5(**arrays: np.ndarray) -> bytes:
    """An HDF5 file of arrays, with the 48 slots as its `date`."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["date"] = np.array([f"2024040{day}{hour + 1:02d}" for day, hour in HOURS], "S10")
        for name, values in arrays.items():
            file[name] = values
    return out.getvalue()


def parquet(text: str) -> bytes:
    """A table as Parquet, every column as text."""
    lines = [line.split(",") for line in text.splitlines()]
    columns = [pa.array(values) for values in zip(*lines[1:])]
    out = io.BytesIO()
    pq.write_table(pa.table(columns, lines[0]), out, row_group_size=40)
    return out.getvalue()


def zipped(**members: bytes | str) -> bytes:
    """A zip; `_` in a name stands for the dot of its ending."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return out.getvalue()


class Kind(NamedTuple):
    """A good file, the settings it needs, and what must lie beside it, by name."""

    content: bytes
    settings: Mapping[str, Any] = {}
    beside: Mapping[str, str] = {}


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


_SPELT = {
    "trips.layout": "columns",
    "trips.start_time": "start",
    "trips.duration": "seconds",
    **{f"trips.start_{name}": name for name in ("lat", "lon")},
    **{f"trips.end_{name}": f"{name}2" for name in ("lat", "lon")},
}
_TEXTS = {"records.csv": RECORDS, "trips.csv": TRIPS, "points.csv": POINTS}
_TRIPS_BESIDE = {"trips.csv": BY_STATION}
KINDS = {
    **{name: Kind(text.encode()) for name, text in _TEXTS.items()},
    **{f"{name}.gz": Kind(gzip.compress(text.encode(), mtime=0)) for name, text in _TEXTS.items()},
    **{name.replace("csv", "parquet"): Kind(parquet(text)) for name, text in _TEXTS.items()},
    "trips.zip": Kind(zipped(trips_csv=TRIPS)),
    "flows.h5": Kind(hdf5(data=np.arange(48 * 2 * 4, dtype=float).reshape(48, 2, 2, 2))),
    "flows.grid": Kind(GRID.encode()),
    "spelt.csv": Kind(SPELT.encode(), _SPELT),
    "by_station.csv": Kind(BY_STATION.encode(), beside={"stations.csv": STATIONS}),
    "nested.zip": Kind(
        zipped(parts_zip=zipped(trips_csv=BY_STATION, readme_txt="read me"), stations_csv=STATIONS)
    ),
    "polylines.csv": Kind(POLYLINES.encode()),
    "track.plt": Kind(GEOLIFE.encode()),
    "trips.json": Kind(_json({"version": "0.3.0", "data": {"trips": MDS}})),
    "trips.geojson": Kind(_json({"type": "FeatureCollection", "features": LINES})),
    "stations.csv": Kind(STATIONS.encode(), beside=_TRIPS_BESIDE),
    "stations.parquet": Kind(parquet(STATIONS), beside=_TRIPS_BESIDE),
    "stations.geojson": Kind(
        _json({"type": "FeatureCollection", "features": OUTLINES}), beside=_TRIPS_BESIDE
    ),
    "weather.csv": Kind(
        WEATHER.encode(), {"ingest.weather_columns": ["TMAX", "AWND"]}, {"records.csv": RECORDS}
    ),
    "weather.h5": Kind(
        hdf5(
            Temperature=np.arange(48.0),
            WindSpeed=np.ones(48),
            Weather=np.eye(17)[np.arange(48) % 17],
        ),
        {"ingest.weather": True},
        {"records.csv": RECORDS},
    ),
    "holidays.txt": Kind(HOLIDAYS.encode(), {"ingest.holidays": True}, {"records.csv": RECORDS}),
}
