"""Tables whose rows are cells of a grid, as GeoParquet and GeoJSON, which GIS programs read as they are.

Positions are OGC:CRS84: longitude before latitude on WGS 84, in degrees. Tables are written a part at a time.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crowdflow.storage.disk import whole_file

GEOPARQUET, GEOJSON = ".geoparquet", ".geojson"
_VERSION, _GEOMETRY = "1.1.0", "geometry"
_ROWS_AT_ONCE = 100_000


def write_geoparquet(
    parts: Iterable[pa.Table], geometry: Sequence[bytes], bounds: Sequence[float], path: Path
) -> None:
    """Writes GeoParquet 1.1 atomically.

    Args:
      parts: tables of one schema; `cell` is the number of a row's cell, int64, and is left out of the file.
      geometry: a polygon for each cell, as WKB, counter-clockwise.
      bounds: of all cells: west, south, east and north, degrees.
      path: of the file.
    """
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "orientation": "counterclockwise",
        "bbox": list(bounds),
    }
    geo = {"version": _VERSION, "primary_column": _GEOMETRY, "columns": {_GEOMETRY: column}}
    shapes = pa.array(geometry, pa.binary())
    writer = None
    with whole_file(path) as partial:
        try:
            for part in parts:
                made = part.drop(["cell"]).append_column(_GEOMETRY, shapes.take(part["cell"]))
                made = made.replace_schema_metadata({"geo": json.dumps(geo)})
                writer = writer or pq.ParquetWriter(partial, made.schema)
                writer.write_table(made)
        finally:
            if writer:
                writer.close()


def write_geojson(parts: Iterable[pa.Table], rings: np.ndarray, path: Path) -> None:
    """Writes a FeatureCollection (RFC 7946) atomically, one feature for each row.

    Args:
      parts: as `write_geoparquet` has them; times become texts in ISO 8601.
      rings: the outline of each cell, float64 `[cells, 5, 2]`, counter-clockwise.
      path: of the file.
    """
    shapes = [
        json.dumps({"type": "Polygon", "coordinates": [ring]})
        for ring in np.round(rings, 7).tolist()
    ]
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        before = "\n"
        for part in parts:
            for first in range(0, len(part), _ROWS_AT_ONCE):
                rows = part.slice(first, _ROWS_AT_ONCE)
                cells = rows["cell"].to_pylist()
                values = rows.drop(["cell"]).to_pylist()
                for cell, row in zip(cells, values):
                    row = json.dumps(row, default=_plain)
                    feature = f'"type": "Feature", "geometry": {shapes[cell]}, "properties": {row}'
                    file.write(f"{before}{{{feature}}}")
                    before = ",\n"
        file.write("\n]}\n")


def _plain(value: Any) -> Any:
    return value.isoformat()
