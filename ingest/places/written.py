"""Places that are written as positions in place of ids: well-known text, GeoJSON, or latitude and longitude."""

import re
from collections.abc import Sequence

import numpy as np

_NUMBER = r"([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)"
_DECIMAL = r"([-+]?\d+\.\d+)"  # `12,34` may be an id
_LONGITUDE_FIRST = (
    re.compile(rf"(?:srid=4326; ?)?point ?(?:z ?)?\( ?{_NUMBER} {_NUMBER}(?: {_NUMBER})? ?\)"),
    re.compile(rf"\{{.*[\"']coordinates[\"'] ?: ?\[ ?{_NUMBER} ?, ?{_NUMBER} ?[,\]].*\}}"),
)
_LATITUDE_FIRST = re.compile(rf"[(\[]? ?{_DECIMAL} ?[,;] ?{_DECIMAL} ?[)\]]?")
_LONGEST = 200  # characters: the patterns take quadratic time on endless ones


def positions_of(texts: Sequence[str]) -> np.ndarray:
    """The positions that ids are.

    Args:
      texts: canonical ids, `n`, see `ids.canonical`.

    Returns:
      Latitudes and longitudes in degrees, float64 `[2, n]`; NaN of an id that is none.
    """
    return np.array([_position(text) for text in texts], np.float64).reshape(-1, 2).T


def _position(text: str) -> tuple[float, float]:
    if len(text) > _LONGEST:
        return np.nan, np.nan
    if found := _LATITUDE_FIRST.fullmatch(text):
        return float(found[1]), float(found[2])
    for pattern in _LONGITUDE_FIRST:
        if found := pattern.fullmatch(text):
            return float(found[2]), float(found[1])
    return np.nan, np.nan
