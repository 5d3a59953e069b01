"""Tables of places in every form, and what is not one."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.ingest.places.columns import find_columns
from crowdflow.ingest.places.find import TableFile, read_tables
from crowdflow.ingest.places.outlines import centroid, polygons_of_text
from crowdflow.schema.errors import DataError

CONFIG = Config()
RING = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]
HOLE = [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]
FAR = [[10, 0], [11, 0], [11, 1], [10, 1], [10, 0]]
FRAME = pd.DataFrame(
    {"id": [1, 2], "name": ["a", "b"], "lat": [40.5, 41.5], "lon": [-74.5, np.nan]}
)


def read(path):
    [table] = read_tables(TableFile(str(path)), CONFIG)
    return table


@pytest.mark.parametrize(
    "form", ["csv", "csv.gz", "semicolon", "parquet", "geojson", "gbfs", "list"]
)
def test_forms(tmp_path, form):
    path = tmp_path / {"semicolon": "p.csv", "gbfs": "p.json", "list": "p.json"}.get(
        form, f"p.{form}"
    )
    rows = FRAME.astype(object).where(FRAME.notna(), None).to_dict("records")
    if form == "parquet":
        FRAME.to_parquet(path)
    elif form == "geojson":
        points = [
            None
            if one["lon"] is None
            else {"type": "Point", "coordinates": [one["lon"], one["lat"]]}
            for one in rows
        ]
        features = [
            {
                "type": "Feature",
                "id": one["id"],
                "properties": {"name": one["name"]},
                "geometry": point,
            }
            for one, point in zip(rows, points)
        ]
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    elif form in ("gbfs", "list"):
        path.write_text(json.dumps({"data": {"stations": rows}} if form == "gbfs" else rows))
    else:
        text = FRAME.to_csv(index=False) if form != "semicolon" else (
            "id;name;lat;lon\n1;a;40,5;-74,5\n2;b;41,5;\n"
        )  # fmt: skip
        path.write_bytes(gzip.compress(text.encode()) if form == "csv.gz" else text.encode())
    table = read(path)
    assert table.keys["id"].tolist() == ["1", "2"] and table.keys["name"].tolist() == ["a", "b"]
    assert (table.latitude[0], table.longitude[0]) == (40.5, -74.5)
    assert np.isnan(table.longitude[1])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_zone_is_at_its_centroid(reverse):
    turn = (lambda ring: ring[::-1]) if reverse else list
    x, y = centroid([[turn(RING), HOLE], [FAR]])
    assert (x, y) == pytest.approx(((2 * 16 - 1.5 + 10.5) / 16, (2 * 16 - 1.5 + 0.5) / 16))
    text = (
        "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1)), "
        "((10 0, 11 0, 11 1, 10 1, 10 0)))"
    )
    assert centroid(polygons_of_text(text)) == pytest.approx((x, y))
    assert centroid(polygons_of_text("POINT (-74.5 40.5)")) == (-74.5, 40.5)
    assert np.isnan(centroid(polygons_of_text(""))).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(-170, 170), st.floats(-80, 80), st.floats(0.001, 5), st.integers(3, 40))
def test_the_centroid_of_a_regular_polygon_is_its_middle(x, y, radius, corners):
    angles = np.arange(corners) * 2 * np.pi / corners
    ring = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    assert centroid([[ring.tolist()]]) == pytest.approx((x, y), abs=1e-9)


def test_zones_as_well_known_text(tmp_path):
    path = tmp_path / "taxi_zones.csv"
    path.write_text(
        'OBJECTID,the_geom,zone,LocationID\n9,"POLYGON ((-74 40, -73 40, -73 41, -74 41, -74 40))",X,132\n'
    )
    table = read(path)
    assert table.keys["LocationID"].tolist() == ["132"]
    assert (table.latitude[0], table.longitude[0]) == pytest.approx((40.5, -73.5))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Number,Name,Latitude,Longitude", ("Number", "Name")),
        ("id,lat,lng", ("id",)),
        ("Station #,Station Name,LATITUDE,LONGITUDE", ("Station #", "Station Name")),
        ("sistema,num_cicloe,calle_prin,latitud,longitud", ("num_cicloe",)),
        ("id,time,lat,lon", None),  # points
        ("STATION,NAME,LATITUDE,LONGITUDE,DATE,TMAX", None),  # weather
        ("lat,lon", None),
        ("id,name", None),
        ("id,lat", None),
    ],
)
def test_columns(header, found):
    columns = find_columns(header.split(","), CONFIG)
    assert (columns and columns.keys) == found


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "id,lat,lon\n1,913176,120121\n", "column lat: expected degrees within -90..90. Received: '9"),
        ("p.csv", "id,lat,lon\n", "expected 1 to 200,000 places, received 0 rows"),
        ("p.csv", "id,name\n1,a\n", "expected a table of places, with columns such as id"),
        ("p.json", "{", "cannot be read as JSON"),
        ("p.json", '{"a": 1}', "expected GeoJSON features, GBFS stations or a list of objects"),
        ("p.geojson", '{"features": [{"geometry": {"type": "Point", "coordinates": "x"}}]}',
         "cannot be read as JSON"),
        ("p.parquet", "no parquet", "expected a whole Parquet file"),
        ("p.csv.gz", "no gzip", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_table_has_one_clear_message(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError) as raised:
        read(path)
    assert str(path) in str(raised.value) and message in str(raised.value)


@pytest.mark.parametrize("name", ["zones.geojson", "zones.csv"])
def test_the_outlines_of_places_are_kept_for_the_map(tmp_path, name):
    squares = [[[x, 40], [x + 1, 40], [x + 1, 41], [x, 41], [x, 40]] for x in (-75, -73)]
    if name.endswith("geojson"):
        geometries = [
            {"type": "Polygon", "coordinates": [squares[0]]},
            {"type": "MultiPolygon", "coordinates": [[squares[1]]]},
            {"type": "Point", "coordinates": [-74, 40]},
        ]
        features = [
            {"type": "Feature", "properties": {"id": str(n)}, "geometry": geometry}
            for n, geometry in enumerate(geometries)
        ]
        text = json.dumps({"type": "FeatureCollection", "features": features})
    else:
        rings = [", ".join(f"{x} {y}" for x, y in square) for square in squares]
        rows = [f'{n},"POLYGON (({ring}))"' for n, ring in enumerate(rings)]
        text = "\n".join(["id,the_geom", *rows, '2,"POINT (-74 40)"', ""])
    (tmp_path / name).write_text(text)
    [table] = read_tables(TableFile(str(tmp_path / name)), Config())
    assert len(table.latitude) == 3
    np.testing.assert_array_equal(table.rings, squares)
