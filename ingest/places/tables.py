"""Reads tables of places: CSV, Parquet, GeoJSON, and the stations of a GBFS feed."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import pandas as pd

from crowdflow.config import Config
from crowdflow.ingest.parquet import batches, open_parquet
from crowdflow.ingest.places.columns import find_columns
from crowdflow.ingest.places.ids import canonical
from crowdflow.ingest.places.json_tables import JSON_ENDINGS, json_columns
from crowdflow.ingest.places.outlines import centroid, polygons_of_text, rings_of
from crowdflow.ingest.places.places import PlaceTable
from crowdflow.ingest.trips.trip_lines import delimiter_of
from crowdflow.schema.errors import DataError

_MOST_ROWS, _BATCH_ROWS = 200_000, 10_000


def table_of(
    name: str, beside: str, columns: Mapping[str, Sequence[Any]], config: Config
) -> PlaceTable:
    """Makes a table of places of its columns.

    Args:
      name: of the file, or of the zip and the file in it.
      beside: the zip that holds it, or the folder.
      columns: by name; texts or values.
      config: for trips.

    Raises:
      DataError: it lacks a column, is empty, or has values that are no degrees.
    """
    chosen = find_columns(list(columns), config)
    if chosen is None:
        raise DataError(
            f"{name}: expected a table of places, with columns such as id, latitude and longitude (settings "
            f"trips.place_id, trips.place_lat, trips.place_lon). Found: {', '.join(columns)[:300]}."
        )
    rows = len(columns[chosen.keys[0]])
    if not 0 < rows <= _MOST_ROWS:
        raise DataError(f"{name}: expected 1 to {_MOST_ROWS:,} places, received {rows:,} rows.")
    rings = []
    if chosen.outline is None:
        latitude = _degrees(name, chosen.latitude, columns[chosen.latitude], 90)
        longitude = _degrees(name, chosen.longitude, columns[chosen.longitude], 180)
    else:
        polygons = [polygons_of_text(str(text)) for text in columns[chosen.outline]]
        found = [centroid(one) for one in polygons]
        rings = [ring for one in polygons for ring in rings_of(one) if len(ring) > 2]
        latitude = _degrees(name, chosen.outline, [one[1] for one in found], 90)
        longitude = _degrees(name, chosen.outline, [one[0] for one in found], 180)
    keys = {key: canonical(columns[key]) for key in chosen.keys}
    return PlaceTable(name, beside, None, keys, latitude, longitude, rings)


def read_columns(name: str, path: str, text: Optional[bytes]) -> Mapping[str, Sequence[Any]]:
    """The columns of a table of places.

    Args:
      name: for messages, and for the form: JSON, Parquet, or else CSV.
      path: of the file, for Parquet.
      text: the uncompressed bytes, for the other forms.

    Raises:
      DataError: it cannot be read.
    """
    if name.lower().endswith(JSON_ENDINGS):
        return json_columns(name, text)
    if name.lower().endswith(".parquet"):
        with open_parquet(path) as file:
            found = {column: [] for column in file.schema_arrow.names}
            for batch in batches(file, _BATCH_ROWS, list(found)):
                for column, values in dict(zip(batch.schema.names, batch.columns)).items():
                    found[column] += values.to_pylist()
            return found
    first = text.split(b"\n", 1)[0].decode("utf-8", "replace")
    try:
        table = pd.read_csv(
            io.BytesIO(text),
            sep=delimiter_of(first),
            dtype=str,
            keep_default_na=False,
            index_col=False,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{name}: cannot be read as CSV ({error}).") from None
    return {column.strip(): table[column].tolist() for column in table.columns}


def _degrees(name: str, column: str, values: Sequence[Any], most: int) -> np.ndarray:
    """Degrees, float64 `[n]`, NaN if empty; a decimal comma is read too."""
    texts = pd.Series(list(values), dtype=object)
    numbers = pd.to_numeric(texts, errors="coerce")
    left = numbers.isna()
    if left.any():
        again = texts[left].astype(str).str.replace(",", ".", regex=False)
        numbers[left] = pd.to_numeric(again, errors="coerce")
    found = numbers.to_numpy(np.float64)
    wrong = np.flatnonzero(np.abs(found) > most)
    if len(wrong):
        raise DataError(
            f"{name}, column {column}: expected degrees within -{most}..{most}. Received: "
            f"{texts[wrong[0]]!r} (of {len(wrong):,} such). Other units need a conversion to longitude "
            "and latitude (WGS 84) first."
        )
    return found
