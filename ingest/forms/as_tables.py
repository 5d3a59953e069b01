"""Turns files that are no tables into CSV: GeoLife's .plt, and trips in JSON or GeoJSON."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Optional

from crowdflow.ingest.places.json_tables import JSON_ENDINGS, json_columns

PLT = ".plt"
ENDINGS = (PLT, *JSON_ENDINGS)
_PLT_HEADER_LINES = 6
_PLT_ROW = re.compile(
    rb"^([^,\n]*),([^,\n]*),[^,\n]*,[^,\n]*,[^,\n]*,([^,\n]*),([^,\n]*)$", re.MULTILINE
)
_TRIP_HEADER = (
    "ride_id", "start_time", "end_time", "start_lat", "start_lon", "end_lat", "end_lon",
)  # fmt: skip


def as_csv(name: str, content: bytes) -> bytes:
    """Turns a file into CSV with a header that `trip_layouts` knows, rows in the same order.

    Args:
      name: of the file; of a .plt file, its last three parts are the trajectory's id.
      content: the file.

    Returns:
      The text; of JSON without trips only the header of the columns that `places` would read.

    Raises:
      OSError: JSON cannot be read.
    """
    if name.lower().endswith(PLT):
        return _plt_as_csv("/".join(name.split("/")[-3:]), content)
    try:
        rows = [*_trips(json.loads(content))]
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise OSError(f"no JSON of trips: {error}") from None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(_TRIP_HEADER)
        writer.writerows(rows)
    else:
        writer.writerow(json_columns(name, content))
    return text.getvalue().encode()


def _plt_as_csv(trajectory: str, content: bytes) -> bytes:
    """GeoLife's points: latitude, longitude, 0, altitude, days, date, time (GMT) below six lines of text."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n", _PLT_HEADER_LINES)
    body = lines[-1] if len(lines) > _PLT_HEADER_LINES else b""
    marked = trajectory.replace('"', "'").encode()
    rows = _PLT_ROW.sub(rb'"%b",\3 \4Z,\1,\2' % marked.replace(b"\\", rb"\\"), body)
    # Empty lines are no rows, and keep the numbers of the lines.
    return b"id,time,latitude,longitude" + b"\n" * _PLT_HEADER_LINES + rows


def _trips(content: Any) -> Iterator[list]:
    """The trips of an MDS answer (`data.trips`, or a list of trips) or of GeoJSON lines, as `_TRIP_HEADER`."""
    if isinstance(content, dict):
        content = content.get("data", content)
    if isinstance(content, dict):
        content = content.get("trips") or content.get("features") or ()
    for trip in content:
        if not isinstance(trip, dict):
            continue
        found = trip.get("properties") or {} if trip.get("type") == "Feature" else trip
        if "start_time" not in found or "end_time" not in found:
            continue
        ends = _ends(trip) or _locations(found)
        if ends is not None:
            name = found.get("trip_id", found.get("ride_id", ""))
            yield [name, found["start_time"], found["end_time"], *ends]


def _ends(trip: dict) -> Optional[list]:
    """Latitude and longitude of the first and the last position of a trip's line or route."""
    places = []
    for feature in _features(trip):
        geometry = feature.get("geometry") or {}
        if geometry.get("type") == "Point":
            places.append(geometry["coordinates"])
        elif geometry.get("type") == "LineString":
            places += geometry["coordinates"]
    if not places:
        return None
    (start_lon, start_lat), (end_lon, end_lat) = places[0][:2], places[-1][:2]
    return [start_lat, start_lon, end_lat, end_lon]


def _features(trip: dict) -> list[dict]:
    if trip.get("type") == "Feature":
        return [trip]
    features = [one for one in (trip.get("route") or {}).get("features") or () if one]
    times = [(one.get("properties") or {}).get("timestamp") for one in features]
    if all(isinstance(time, (int, float)) for time in times):
        features = [one for _, one in sorted(zip(times, features), key=lambda pair: pair[0])]
    return features


def _locations(trip: dict) -> Optional[list]:
    """The same of MDS 2, `start_location` and `end_location`."""
    start, end = trip.get("start_location"), trip.get("end_location")
    if not isinstance(start, dict) and not isinstance(end, dict):
        return None
    return [(place or {}).get(name, "") for place in (start, end) for name in ("lat", "lng")]
