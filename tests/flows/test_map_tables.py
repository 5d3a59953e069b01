"""Tables for GIS programs: areas, positions, sums and times agree with the table, formats with their rules."""

import json

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from pyproj import Geod

from crowdflow.config import Config
from crowdflow.flows import map_tables
from crowdflow.flows.cells import polygons, well_known_binary
from crowdflow.flows.grids import cell_bounds, cell_metres, cell_of
from crowdflow.flows.map_tables import ENDINGS, write_on_map, write_on_maps

# South, west: near the equator, in the middle, and far in the south.
PLACES = [(1.25, 103.8), (40.7, -74.02), (-54.85, -68.4)]


def config(south=40.7, west=-74.02, zone="America/New_York"):
    box = {"south": south, "west": west, "north": south + 0.06, "east": west + 0.08}
    settings = {f"grid.{name}": value for name, value in box.items()}
    return Config().replace(
        {**settings, "grid.rows": 3, "grid.cols": 4, "intervals.timezone": zone}
    )


def table(hours=2):
    cells = np.indices((hours, 3, 4)).reshape(3, -1)
    start = np.datetime64("2024-11-03T00:00", "us") + cells[0] * np.timedelta64(60, "m")
    flows = np.arange(cells.shape[1], dtype=np.float32)
    columns = {"interval_start": start, "step": np.ones_like(cells[0]), "row": cells[1]}
    columns |= {"col": cells[2], "inflow": flows, "outflow": flows / 2}
    return pa.table({name: pa.array(values) for name, values in columns.items()})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_areas_positions_and_sums_agree(tmp_path, place, ending):
    settings, path = config(*place, zone=None), tmp_path / f"flows{ending}"
    write_on_map([table().slice(0, 7), table().slice(7)], settings, path)
    read = geopandas.read_file if ending == ".geojson" else geopandas.read_parquet
    found = read(path)
    assert found.crs.is_geographic and found.crs.ellipsoid.name == "WGS 84"
    shapes, rows = list(found.geometry), found.drop(columns="geometry").to_dict("records")
    assert len(rows) == 24 and "cell" not in rows[0]
    assert sum(row["inflow"] for row in rows) == 276 == 2 * sum(row["outflow"] for row in rows)
    for shape, row in zip(shapes, rows):
        bounds = cell_bounds(row["row"], row["col"], settings.grid)[[1, 0, 3, 2]]
        assert shape.bounds == pytest.approx(bounds, abs=1e-7)
        middle = shape.centroid
        at = cell_of(np.array([middle.y]), np.array([middle.x]), settings.grid)
        assert [int(part[0]) for part in at] == [row["row"], row["col"], 1]
        assert shape.exterior.is_ccw and shape.is_valid
    area, _ = Geod(ellps="WGS84").geometry_area_perimeter(shapes[0])
    height, width = cell_metres(settings.grid)
    assert area == pytest.approx(height * width, rel=0.01)
    assert shapely.union_all(shapes).bounds == pytest.approx(
        (place[1], place[0], place[1] + 0.08, place[0] + 0.06), abs=1e-7
    )
    assert list(tmp_path.iterdir()) == [path]


def test_geoparquets_metadata_are_those_of_the_standard(tmp_path):
    """The rules of https://geoparquet.org/releases/v1.1.0, whose schema has nothing else that is required."""
    path = tmp_path / "flows.geoparquet"
    write_on_map([table()], config(), path)
    geo = json.loads(pq.read_schema(path).metadata[b"geo"])
    assert geo.keys() == {"version", "primary_column", "columns"}
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    [(name, column)] = geo["columns"].items()
    assert name == "geometry" and column["encoding"] == "WKB"
    assert column["geometry_types"] == ["Polygon"] and column["orientation"] == "counterclockwise"
    assert "crs" not in column  # which means OGC:CRS84
    assert column["bbox"] == pytest.approx([-74.02, 40.7, -73.94, 40.76])
    assert pq.read_schema(path).field("geometry").type == pa.binary()
    assert pq.ParquetFile(path).schema.column(6).physical_type == "BYTE_ARRAY"


@pytest.mark.parametrize("ending", ENDINGS)
def test_times_have_the_citys_zone(tmp_path, ending):
    path = tmp_path / f"flows{ending}"
    write_on_map([table(hours=4)], config(), path)
    if ending == ".geojson":
        texts = [
            f["properties"]["interval_start"] for f in json.loads(path.read_text())["features"]
        ]
    else:
        found = pq.read_table(path)["interval_start"]
        assert found.type == pa.timestamp("us", "America/New_York")
        texts = [time.isoformat() for time in found.to_pylist()]
    # At 02:00 the clocks went back to 01:00; the frame of 01:00 has both hours' flow, and is the earlier one.
    hours = ["00:00:00-04:00", "01:00:00-04:00", "02:00:00-05:00", "03:00:00-05:00"]
    assert texts[::12] == [f"2024-11-03T{hour}" for hour in hours]


def test_a_grid_without_a_box_is_told(tmp_path, caplog):
    source = tmp_path / "flows.parquet"
    pq.write_table(table(), source)
    boxless = Config().replace({"grid.rows": 3, "grid.cols": 4})
    map_tables.log.addHandler(caplog.handler)  # a command may have cut the logger off
    assert write_on_maps([source], ["geojson"], boxless, tmp_path / "flows") == []
    map_tables.log.removeHandler(caplog.handler)
    assert "no geojson: the grid has no box" in caplog.text
    made = write_on_maps([source], ["libcity", "geojson"], config(), tmp_path / "flows")
    assert made == [tmp_path / "flows.geojson"]
    assert write_on_maps([source], ["libcity"], boxless, tmp_path / "flows") == []


def test_an_unfinished_file_is_not_left(tmp_path):
    def parts():
        yield table()
        raise OSError("disk")

    for ending in ENDINGS:
        with pytest.raises(OSError, match="disk"):
            write_on_map(parts(), config(), tmp_path / f"flows{ending}")
    assert list(tmp_path.iterdir()) == []


def test_well_known_binary_is_what_shapely_writes():
    rings = polygons(config().grid).reshape(-1, 5, 2)
    ours = well_known_binary(rings)
    assert {len(one) for one in ours} == {93}
    assert ours == [shapely.to_wkb(shapely.Polygon(ring), byte_order=1) for ring in rings]
