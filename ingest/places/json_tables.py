"""Places in JSON: the features of a GeoJSON file, the stations of a GBFS feed, or a list of objects."""

import json
from typing import Any

from crowdflow.ingest.places.outlines import Polygon, centroid_of_geometry, polygons_of_geometry
from crowdflow.schema.errors import DataError

JSON_ENDINGS = (".json", ".geojson")
_LONGITUDE, _LATITUDE = "longitude", "latitude"


def json_columns(name: str, text: bytes) -> dict[str, list[Any]]:
    """The columns of the objects in a JSON file; a feature's position or centroid is its latitude and longitude.

    Args:
      name: of the file, for messages.
      text: its bytes.

    Raises:
      DataError: it is not JSON, has no list of objects, or has coordinates that are not numbers.
    """
    try:
        content = json.loads(text)
        rows = _objects(content)
    except (ValueError, TypeError, LookupError) as error:
        raise DataError(f"{name}: cannot be read as JSON ({error}).") from None
    if not rows:
        raise DataError(
            f"{name}: expected GeoJSON features, GBFS stations or a list of objects. Received none."
        )
    names = dict.fromkeys(key for row in rows for key in row)
    return {key: [row.get(key) for row in rows] for key in names}


def json_polygons(text: bytes) -> list[Polygon]:
    """The polygons of the features in a JSON file that `json_columns` takes."""
    content = json.loads(text)
    features = content.get("features") if isinstance(content, dict) else None
    return [one for f in features or () for one in polygons_of_geometry(f.get("geometry"))]


def _objects(content: Any) -> list[dict]:
    if isinstance(content, dict) and isinstance(content.get("features"), list):
        return [_feature(one) for one in content["features"]]
    if isinstance(content, dict):
        content = content.get("data", content)
    if isinstance(content, dict):
        content = content.get("stations", [])
    if not isinstance(content, list):
        return []
    return [_with_more(row) for row in content if isinstance(row, dict)]


def _with_more(row: dict) -> dict:
    """An object with its `additionalProperties` beside the others, as in Transport for London's list."""
    more = row.get("additionalProperties")
    found = {one["key"]: one["value"] for one in more} if isinstance(more, list) else {}
    return {**found, **row}


def _feature(feature: dict) -> dict:
    longitude, latitude = centroid_of_geometry(feature.get("geometry"))
    found = {"id": feature["id"]} if "id" in feature else {}
    found |= feature.get("properties") or {}
    return {**found, _LONGITUDE: longitude, _LATITUDE: latitude}
