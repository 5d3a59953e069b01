"""Places written as positions: read back in every form, counted like positions in two columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdflow.config import Config
from crowdflow.ingest.history import read_history
from crowdflow.ingest.places.ids import canonical
from crowdflow.ingest.places.written import positions_of

FORMS = {
    "wkt": "POINT ({lon} {lat})",
    "wkt, no space": "Point({lon} {lat})",
    "ewkt": "SRID=4326;POINT({lon} {lat})",
    "wkt, height": "POINT Z ({lon} {lat} 3.5)",
    "geojson": '{{"type": "Point", "coordinates": [{lon}, {lat}]}}',
    "printed by Python": "{{'type': 'Point', 'coordinates': [{lon},{lat}]}}",
    "in brackets": "({lat}, {lon})",
    "a comma": "{lat},{lon}",
}
BOX = {"rows": 2, "cols": 2, "south": 0.0, "west": 0.0, "north": 2.0, "east": 2.0}
CONFIG = Config.from_dict({"grid": BOX, "intervals": {"timezone": "Africa/Accra"}})


@given(
    form=st.sampled_from(list(FORMS.values())),
    lat=st.floats(-90, 90).map(lambda value: f"{value:.6f}"),
    lon=st.floats(-180, 180).map(lambda value: f"{value:.5f}"),
)
def test_every_form_is_read_back(form, lat, lon):
    found = positions_of(canonical([form.format(lat=lat, lon=lon)]))
    assert found.tolist() == [[float(lat)], [float(lon)]]


@pytest.mark.parametrize(
    "text", ["", "42", "12,34", "3rd Ave, 42nd St", "POINT EMPTY", "31000.5", "{'type': 'Point'}"]
)
def test_other_ids_are_no_positions(text):
    assert np.isnan(positions_of(canonical([text, "x"]))).all()
    assert positions_of([]).shape == (2, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("with_table", [False, True])
def test_flows_are_those_of_two_columns(tmp_path, form, with_table):
    here, there = (FORMS[form].format(lat=lat, lon=lon) for lat, lon in ((1.5, 0.25), (0.5, 1.75)))
    places = [here, "A" if with_table else there, "nowhere"]
    rows = [
        f"2024-04-01 0{hour}:00|2024-04-01 0{hour}:10|{here}|{place}"
        for hour, place in enumerate(places, 1)
    ]
    header = "start_time|end_time|start_place|end_place"
    (tmp_path / "trips.csv").write_text("\n".join([header, *rows]))
    if with_table:
        (tmp_path / "stations.csv").write_text("id,lat,lon\nA,0.5,1.75\n")
    found = read_history([str(tmp_path)], CONFIG.replace({"trips.max_reject_share": 0.5}))
    maps = found.frames.maps
    assert maps[0].tolist() == [[[1, 1], [0, 0]], [[0, 0], [0, 0]]]
    assert maps[1].tolist() == [[[0, 1], [0, 0]], [[0, 0], [1, 0]]]
    assert found.counters["end_rejects"]["unknown_place"] == 1
    assert found.counters["unknown_places"] == {"nowhere": 1}
