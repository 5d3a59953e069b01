"""A small city's trips in the files that each operator publishes, with its table of places."""

import dataclasses
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pandas as pd

# A box of four rows and five columns, each of 0.01 degrees.
BOX = {"rows": 4, "cols": 5, "south": 40.70, "west": -74.05, "north": 40.74, "east": -74.00}
_STATIONS, _TRIPS, _DAYS = 30, 400, 20
_TAXI_ZONE = 0.002  # degrees, half the side


@dataclasses.dataclass(frozen=True)
class Published:
    """How an operator publishes trips.

    Attributes:
      trips: name of the file of trips.
      columns: its columns, each as a format of a trip's record.
      places: name of the file of places, if the trips name places.
      place_columns: its columns, each as a format of a place's record; or what writes it.
      packed: name of the zip that holds both; None for files side by side.
    """

    trips: str
    columns: Mapping[str, str]
    places: Optional[str] = None
    place_columns: Mapping[str, str] | Callable[[pd.DataFrame], str] = dataclasses.field(
        default_factory=dict
    )
    packed: Optional[str] = None


def simulate() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Places (`number`, `terminal`, `name`, `lat`, `lon`) and trips (`start`, `end`, `a`, `b`: rows of places)."""
    random = np.random.default_rng(20)
    places = pd.DataFrame(
        {
            "number": np.arange(_STATIONS) + 1,
            "terminal": np.arange(_STATIONS) * 3 + 1001,
            "name": [f"{n} St & {n % 7} Av, north" for n in range(_STATIONS)],
            "lat": random.uniform(40.702, 40.738, _STATIONS).round(5),
            "lon": random.uniform(-74.048, -74.002, _STATIONS).round(5),
        }
    )
    start = pd.Timestamp("2019-06-03") + pd.to_timedelta(
        np.sort(random.integers(0, _DAYS * 1440, _TRIPS)), "min"
    )
    trips = pd.DataFrame(
        {
            "start": start,
            "end": start + pd.to_timedelta(random.integers(1, 90, _TRIPS), "min"),
            "a": random.integers(0, _STATIONS, _TRIPS),
            "b": random.integers(0, _STATIONS, _TRIPS),
        }
    )
    return places, trips


def expected(places: pd.DataFrame, trips: pd.DataFrame) -> pd.Series:
    """Trips by (hour, row, col, channel) with 0 inflow and 1 outflow, counted plainly."""
    found = []
    for channel, time, place in ((1, "start", "a"), (0, "end", "b")):
        at = places.iloc[trips[place].to_numpy()].reset_index(drop=True)
        row = ((BOX["north"] - at["lat"]) / 0.01).astype(int)
        col = ((at["lon"] - BOX["west"]) / 0.01).astype(int)
        hour = trips[time].dt.floor("h")
        kept = hour <= trips["start"].max().floor("h")
        found += zip(hour[kept], row[kept], col[kept], [channel] * int(kept.sum()))
    return pd.Series(1, pd.MultiIndex.from_tuples(found)).groupby(level=[0, 1, 2, 3]).sum()


def write(published: Published, folder: Path) -> list[str]:
    """Writes the files of an operator; returns their paths."""
    places, trips = simulate()
    ends = {
        side: places.iloc[trips[side].to_numpy()].reset_index(drop=True).add_prefix(f"{side}_")
        for side in ("a", "b")
    }
    records = pd.concat([trips[["start", "end"]], *ends.values()], axis=1)
    records["ride"] = np.arange(len(records)) + 1
    records["seconds"] = (records["end"] - records["start"]).dt.total_seconds().astype(int)
    texts = {published.trips: _table(published.columns, records)}
    if callable(published.place_columns):
        texts[published.places] = published.place_columns(places)
    elif published.places:
        texts[published.places] = _table(published.place_columns, places).to_csv(index=False)
    paths = []
    for name, content in texts.items():
        path = folder / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif name.endswith(".parquet"):
            _typed(content).to_parquet(path, index=False)
        else:
            content.to_csv(path, index=False)
        paths.append(path)
    if published.packed is None:
        return [str(path) for path in paths]
    with zipfile.ZipFile(folder / published.packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"data/{path.name}")
        archive.writestr("data/README.txt", "Terms of use")
    return [str(folder / published.packed)]


def _table(columns: Mapping[str, str], records: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {name: form.format(**record) for name, form in columns.items()}
        for record in records.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """As the TLC writes Parquet: timestamps and numbers."""
    for name in table.columns:
        if "datetime" in name.lower():
            table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
        elif name.lower().endswith("locationid"):
            table[name] = table[name].astype("int64")
    return table


def zones(places: pd.DataFrame) -> str:
    """Taxi zones as GeoJSON: squares around the places, one of them in two parts."""

    def square(lon: float, lat: float) -> list:
        s = _TAXI_ZONE
        return [[[lon - s, lat - s], [lon + s, lat - s], [lon + s, lat + s], [lon - s, lat + s],
                 [lon - s, lat - s]]]  # fmt: skip

    features = [
        {
            "type": "Feature",
            "properties": {"objectid": str(500 - n), "location_id": str(n), "zone": name},
            "geometry": {"type": "MultiPolygon", "coordinates": [square(lon, lat)]},
        }
        for n, name, lat, lon in zip(*(places[c] for c in ("number", "name", "lat", "lon")))
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def gbfs(places: pd.DataFrame) -> str:
    """`station_information.json` of a GBFS feed."""
    stations = [
        {"station_id": str(7000 + n), "name": name, "lat": lat, "lon": lon, "capacity": 15}
        for n, name, lat, lon in zip(*(places[c] for c in ("number", "name", "lat", "lon")))
    ]
    return json.dumps({"last_updated": 1, "ttl": 10, "data": {"stations": stations}})


def bike_points(places: pd.DataFrame) -> str:
    """The list of bike points of Transport for London's API."""
    found: list[dict[str, Any]] = [
        {
            "$type": "Tfl.Api.Presentation.Entities.Place, Tfl.Api.Presentation.Entities",
            "id": f"BikePoints_{n}",
            "commonName": name,
            "placeType": "BikePoint",
            "additionalProperties": [{"key": "TerminalName", "value": f"00{998 + 3 * n}"}],
            "lat": lat,
            "lon": lon,
        }
        for n, name, lat, lon in zip(*(places[c] for c in ("number", "name", "lat", "lon")))
    ]  # fmt: skip
    return json.dumps(found)
