"""`crowdflow grid`: counts positions, proposes a grid, and prints its summary, YAML and map."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from crowdflow.config import Config, GridConfig
from crowdflow.flows import grids
from crowdflow.ingest import grid_proposal
from crowdflow.pipeline import cli
from crowdflow.schema.errors import DataError, DataNotFoundError
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city

JERSEY_CITY = Path(__file__).parents[3] / "shared/data/citibike_jc"
HEADER = "start_time,end_time,start_lat,start_lon,end_lat,end_lon\n"
SPEC = CitySpec(rows=4, cols=5, days=8, demand=3.0)


@pytest.fixture(scope="module")
def city_file(tmp_path_factory):
    [path] = write_city(simulate(SPEC), tmp_path_factory.mktemp("city"), ("trips",))
    return path


def test_positions_are_counted_by_side(tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text(
        HEADER
        + "2024-04-01 08:00,2024-04-01 08:10,40.71234,-74.01236,40.72,-74.02\n"
        + "2024-04-01 08:00,2024-04-01 08:10,40.71228,-74.01244,,\n"
        + "2024-04-01 08:00,2024-04-01 08:10,0,0,40.72,north\n"
    )
    found = grid_proposal.read_positions([str(path)], Config())
    assert (found.trips, found.files, found.left_out) == (3, [str(path)], [])
    order = np.argsort(found.latitude)
    np.testing.assert_allclose(found.latitude[order], [40.7123, 40.72], atol=1e-9)
    np.testing.assert_allclose(found.longitude[order], [-74.0124, -74.02], atol=1e-9)
    assert found.starts[order].tolist() == [2, 0] and found.ends[order].tolist() == [0, 1]


def test_the_simulated_city_is_found_again(city_file):
    found = grid_proposal.read_positions([str(city_file)], Config())
    trips = pd.read_csv(city_file)
    assert found.trips == found.starts.sum() == found.ends.sum() == len(trips)
    weights = found.starts + found.ends
    grid = grids.propose(found.latitude, found.longitude, weights, left_out=0.0)
    # The city's trips reach its edges but for the bay in the south-east.
    for name in ("south", "west", "north", "east"):
        assert getattr(grid, name) == pytest.approx(getattr(SPEC, name), abs=0.004)
    for side in ("start", "end"):
        inside = grids.cell_of(trips[f"{side}_lat"], trips[f"{side}_lon"], grid)[2]
        assert inside.all()
    fixed = GridConfig(4, 5, SPEC.south, SPEC.west, SPEC.north, SPEC.east)
    counts = grids.count_by_cell(found.latitude, found.longitude, found.starts, fixed)
    expected = trips.groupby(["start_row", "start_col"]).size()
    # Rounding to some 10 m moves few trips over an edge.
    moved = np.abs(
        counts - expected.unstack(fill_value=0).reindex(range(4), columns=range(5)).fillna(0)
    ).to_numpy()
    assert moved.sum() < 0.05 * len(trips)


def test_the_summary_counts_what_is_inside(city_file):
    found = grid_proposal.read_positions([str(city_file)], Config())
    half = GridConfig(2, 5, SPEC.south, SPEC.west, (SPEC.south + SPEC.north) / 2, SPEC.east)
    lines = grid_proposal.describe(found, half)
    inside = found.starts[found.latitude <= half.north].sum()
    assert any(line.startswith(f"starts inside: {inside:,} of {found.trips:,} (") for line in lines)
    counts = grids.count_by_cell(found.latitude, found.longitude, found.starts + found.ends, half)
    assert lines[-1].startswith(f"active cells: {(counts > 0).sum()} of 10 ")


def test_the_command_prints_a_configuration_and_draws_the_map(city_file, tmp_path):
    (tmp_path / "days.txt").write_text("20240401\n")
    picture = tmp_path / "map.png"
    arguments = ["grid", "--data", str(city_file), str(tmp_path / "days.txt")]
    arguments += ["--cell-metres", "1500", "--out", str(picture)]
    result = CliRunner().invoke(cli.main, arguments)
    assert result.exit_code == 0, result.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"# no trips: {tmp_path / 'days.txt'}" in result.output
    config = Config.from_dict(yaml.safe_load(result.output))  # the summary is in comments
    assert grids.cell_metres(config.grid) == pytest.approx((1500, 1500), rel=0.15)


def test_what_has_no_trips_is_refused(tmp_path):
    nothing = tmp_path / "weather.csv"
    nothing.write_text("DATE,TMAX\n2024-04-01,50\n")
    with pytest.raises(DataError, match="weather.csv: the header matches no known layout"):
        grid_proposal.read_positions([str(nothing)], Config())
    flows = tmp_path / "flows.csv"
    flows.write_text("interval_start,row,col,inflow,outflow\n2024-04-01 08:00,0,0,1,1\n")
    with pytest.raises(DataError, match="flows.csv: expected raw trips, received flow records"):
        grid_proposal.read_positions([str(flows)], Config())
    empty = tmp_path / "empty.csv"
    empty.write_text(HEADER + "2024-04-01 08:00,2024-04-01 08:10,0,0,,\n")
    with pytest.raises(DataError, match="expected trips with positions, received none in 1 rows"):
        grid_proposal.read_positions([str(empty)], Config())
    with pytest.raises(DataNotFoundError):
        grid_proposal.read_positions([str(tmp_path / "absent.csv")], Config())
    result = CliRunner().invoke(cli.main, ["grid"])
    assert result.exit_code == 1 and "expected files of trips" in result.output


def test_a_swapped_position_is_left_out_and_named(tmp_path):
    rows = [
        f"2024-05-06 0{n}:05,2024-05-06 0{n}:20,40.71{n},-74.00{n},40.75{n},-73.98{n}"
        for n in range(9)
    ]
    path = tmp_path / "trips.csv"
    path.write_text(HEADER + "\n".join(rows))
    clean = grid_proposal.read_positions([str(path)], Config())
    clean = grids.propose(clean.latitude, clean.longitude, clean.starts + clean.ends)
    path.write_text(HEADER + "\n".join([*rows, rows[4].replace("40.714,-74.004", "-74.0,40.73")]))
    found = grid_proposal.read_positions([str(path)], Config())
    grid = grids.propose(found.latitude, found.longitude, found.starts + found.ends)
    assert grid == clean and grid.rows * grid.cols < 18
    lines = grid_proposal.describe(found, grid)
    assert "outside the box: 1 of 20 starts and ends, in 1 place, the farthest first" in lines
    assert "  -74.0000 N, 40.7300 E: 1 (latitude and longitude swapped?)" in lines


def test_trips_by_id_are_placed_by_their_table(tmp_path):
    trips, stations = tmp_path / "trips.csv", tmp_path / "stations.csv"
    trips.write_text(
        "start_time,end_time,start_place,end_place\n"
        "2024-04-01 08:00,2024-04-01 08:10,A,B\n2024-04-01 08:00,2024-04-01 08:10,A,\n"
        "2024-04-01 08:00,2024-04-01 08:10,x,A\n"
    )
    stations.write_text("name,lat,lon\nA,40.71,-74.01\nB,40.72,-74.02\n")
    found = grid_proposal.read_positions([str(trips), str(stations)], Config())
    assert found.starts.tolist() == [2, 0] and found.ends.tolist() == [1, 1]
    assert found.trips == 3 and found.left_out == [str(stations)]
    grid = GridConfig(2, 2, 40.7, -74.03, 40.73, -74.0)
    assert "Ids that no table of places has, the most frequent first: x (1)" in (
        grid_proposal.describe(found, grid)
    )


@pytest.mark.skipif(
    not JERSEY_CITY.exists(), reason="Citi Bike is not next to the checkout, in shared/data"
)
def test_jersey_city_gives_the_preset_s_grid():
    """Proposed from the months before the preset's test days, so that these do not influence the grid."""
    paths = sorted(map(str, JERSEY_CITY.glob("JC-201[89]*")))[:-1]
    found = grid_proposal.read_positions(paths, Config())
    assert found.trips == 347_178
    from crowdflow.config import presets

    grid = grids.propose(found.latitude, found.longitude, found.starts + found.ends)
    assert grid == presets.load("citibike-jc").grid
    counts = grids.count_by_cell(found.latitude, found.longitude, found.starts, grid)
    assert counts.sum() > 0.999 * found.trips and (counts > 0).sum() == 32
