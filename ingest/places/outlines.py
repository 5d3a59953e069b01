"""Outlines, polygons in GeoJSON and in well-known text: their centroids and their rings."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

_POLYGON = re.compile(r"\((\s*\([^()]+\)(?:\s*,\s*\([^()]+\))*\s*)\)")
_POINTS = re.compile(r"\(([^()]+)\)")
NOWHERE = (float("nan"), float("nan"))
Ring = Sequence[Sequence[float]]
Polygon = Sequence[Ring]  # the outer ring and the holes


def centroid(polygons: Iterable[Polygon]) -> tuple[float, float]:
    """The centroid of an area.

    Args:
      polygons: each an outer ring and its holes, in any direction of rotation; a ring is points (x, y).

    Returns:
      x and y; the mean of the points if they enclose no area, NaN without points.
    """
    total, moments, points = 0.0, np.zeros(2), []
    for rings in polygons:
        for number, ring in enumerate(rings):
            xy = np.array([point[:2] for point in ring], np.float64)
            origin = xy[0]  # near the ring, so that the differences keep their digits
            now = xy - origin
            then = np.roll(now, -1, axis=0)
            cross = now[:, 0] * then[:, 1] - then[:, 0] * now[:, 1]
            area = cross.sum() / 2
            moment = ((now + then) * cross[:, None]).sum(axis=0) / 6 + area * origin
            sign = np.sign(area) * (-1 if number else 1)
            total, moments = total + sign * area, moments + sign * moment
            points.append(xy)
    if not points:
        return NOWHERE
    x, y = moments / total if total else np.concatenate(points).mean(axis=0)
    return float(x), float(y)


def centroid_of_geometry(geometry: dict | None) -> tuple[float, float]:
    """Longitude and latitude of a GeoJSON geometry: a point's own, or a polygon's centroid; NaN of others."""
    kind, found = (geometry or {}).get("type"), (geometry or {}).get("coordinates")
    if kind == "Point":
        return float(found[0]), float(found[1])
    return centroid(polygons_of_geometry(geometry))


def polygons_of_geometry(geometry: dict | None) -> list[Polygon]:
    """The polygons of a GeoJSON geometry; none of other kinds."""
    kind, found = (geometry or {}).get("type"), (geometry or {}).get("coordinates")
    return [found] if kind == "Polygon" else list(found) if kind == "MultiPolygon" else []


def polygons_of_text(text: str) -> list[Polygon]:
    """The polygons in well-known text such as `POLYGON ((-74 40, -73 40, -73 41, -74 40))`; a point is one."""
    polygons = _POLYGON.findall(text) or [text]
    return [[_ring(found) for found in _POINTS.findall(polygon)] for polygon in polygons]


def rings_of(polygons: Iterable[Polygon]) -> list[np.ndarray]:
    """The rings of polygons, longitude and latitude, float64 `[n, 2]` each."""
    return [np.array([p[:2] for p in ring], np.float64) for rings in polygons for ring in rings]


def _ring(text: str) -> Ring:
    return [tuple(map(float, point.split()[:2])) for point in text.split(",")]
