"""Positions to cells and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdflow.config import GridConfig
from crowdflow.flows import grids
from crowdflow.schema import geodesy
from crowdflow.schema.errors import ConfigError

# Four rows of 0.25 degrees, two columns of 0.5: every edge is exact in floating point.
GRID = GridConfig(rows=4, cols=2, south=40.0, west=-74.0, north=41.0, east=-73.0)


@st.composite
def grid_configs(draw):
    south = draw(st.floats(-80, 79))
    west = draw(st.floats(-179, 178))
    north = south + draw(st.floats(0.001, 1.0))
    east = west + draw(st.floats(0.001, 1.0))
    rows, cols = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return GridConfig(rows, cols, south, west, north, east)


@pytest.mark.parametrize(
    "latitude, longitude, expected",
    [
        (40.9, -73.9, (0, 0)),  # row 0 is north, column 0 is west
        (40.1, -73.1, (3, 1)),
        (40.75, -73.9, (1, 0)),  # a cell owns its north edge
        (40.9, -73.5, (0, 1)),  # and its west edge
        (41.0, -74.0, (0, 0)),
        (40.0, -73.0, (3, 1)),  # the box's south and east edge belong to the last cells
        (41.0000001, -73.9, None),
        (39.9999999, -73.9, None),
        (40.5, -74.0000001, None),
        (40.5, -72.9999999, None),
        (np.nan, -73.9, None),
        (40.5, np.nan, None),
        (np.inf, -73.9, None),
    ],
)
def test_a_position_s_cell(latitude, longitude, expected):
    row, col, inside = grids.cell_of(np.array([latitude]), np.array([longitude]), GRID)
    assert (row.dtype, col.dtype, inside.dtype) == (np.int64, np.int64, bool)
    assert ((row[0], col[0]) if inside[0] else None) == expected


@settings(max_examples=60, deadline=None)
@given(grid_configs(), st.randoms(use_true_random=False))
def test_every_cell_s_corner_and_inside_are_in_the_cell(grid, random):
    row, col = (a.ravel() for a in np.indices((grid.rows, grid.cols)))
    south, west, north, east = grids.cell_bounds(row, col, grid).T
    assert (north > south).all() and (east > west).all()
    for share in (0.5, random.uniform(0.01, 0.99), 0.0):
        latitude, longitude = north - share * (north - south), west + share * (east - west)
        found = grids.cell_of(latitude, longitude, grid)
        np.testing.assert_array_equal(found, [row, col, np.ones(len(row), bool)])


@settings(max_examples=60, deadline=None)
@given(grid_configs(), st.integers(0, 2**32 - 1))
def test_a_position_is_within_the_bounds_of_its_cell(grid, seed):
    random = np.random.default_rng(seed)
    latitude = random.uniform(grid.south - 0.1, grid.north + 0.1, 200)
    longitude = random.uniform(grid.west - 0.1, grid.east + 0.1, 200)
    row, col, inside = grids.cell_of(latitude, longitude, grid)
    expected = (latitude >= grid.south) & (latitude <= grid.north)
    expected &= (longitude >= grid.west) & (longitude <= grid.east)
    np.testing.assert_array_equal(inside, expected)
    south, west, north, east = grids.cell_bounds(row[inside], col[inside], grid).T
    latitude, longitude = latitude[inside], longitude[inside]
    assert ((latitude <= north) & (latitude >= south)).all()
    assert ((longitude >= west) & (longitude <= east)).all()


def test_metres_are_those_of_the_ellipsoid():
    # A minute of latitude is a nautical mile, within half a percent; a degree of longitude shrinks.
    height, width = geodesy.extent_metres(40.0, -74.0, 41.0, -73.0)
    assert height == pytest.approx(60 * 1852, rel=5e-3)
    assert width == pytest.approx(111_320 * np.cos(np.radians(40.5)), rel=5e-3)
    assert grids.cell_metres(GRID) == pytest.approx((height / 4, width / 2))
    assert geodesy.shape_for(40.0, -74.0, 41.0, -73.0, 1000) == (111, 85)
    assert geodesy.shape_for(40.0, -74.0, 41.0, -73.0, 1e6) == (1, 1)


def test_a_grid_without_a_box_says_so():
    with pytest.raises(ConfigError, match="grid.south, grid.west, grid.north and grid.east"):
        grids.cell_of(np.zeros(1), np.zeros(1), GridConfig())


def test_weighted_span_leaves_the_extremes_out():
    values, weights = np.array([5.0, -100.0, 3.0, 4.0, 900.0]), np.array([30, 1, 38, 30, 1])
    assert grids.weighted_span(values, weights, 0.0) == (-100, 900)
    assert grids.weighted_span(values, weights, 0.02) == (3, 5)
    assert grids.weighted_span(np.array([7.0]), np.array([1]), 0.1) == (7, 7)


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (40.7111, 40.7487, (40.711, 40.749)),
        (-74.0836, -74.0321, (-74.084, -74.032)),
        (1, 1, (1, 1.001)),
    ],
)
def test_round_outward(low, high, expected):
    assert grids.round_outward(low, high, 0.001) == expected


def test_a_proposal_keeps_the_stations_and_leaves_strays_out():
    random = np.random.default_rng(2)
    latitude = np.append(random.uniform(40.70, 40.74, 60), [0.5, 48.0])
    longitude = np.append(random.uniform(-74.05, -74.00, 60), [-74.02, 2.3])
    weights = np.append(np.full(60, 1000), [3, 3])
    grid = grids.propose(latitude, longitude, weights)
    assert (grid.south, grid.north) == pytest.approx((40.70, 40.74), abs=0.002)
    assert (grid.west, grid.east) == pytest.approx((-74.05, -74.00), abs=0.002)
    counts = grids.count_by_cell(latitude, longitude, weights, grid)
    assert counts.sum() == 60_000
    assert (counts > 0).mean() >= grids.ACTIVE_SHARE
    sizes = grids.cell_metres(grids.propose(latitude, longitude, weights, metres=500.0))
    assert sizes == pytest.approx((500, 500), rel=0.1)


@pytest.mark.parametrize("strays", ["world", "suburb", "one place"])
@pytest.mark.parametrize("stations", [60, 4000])
def test_one_position_in_a_thousand_moves_nothing(strays, stations):
    random = np.random.default_rng(stations)
    latitude = random.normal(44.97, 0.01, stations)
    longitude = random.normal(-93.26, 0.02, stations)
    weights = np.full(stations, 300)
    clean = grids.propose(latitude, longitude, weights, left_out=0.001)
    count = int(weights.sum() / 1000)
    far = {
        "world": (random.uniform(-90, 90, count), random.uniform(-180, 180, count)),
        "suburb": (random.uniform(45.2, 45.3, count), random.uniform(-93.0, -92.9, count)),
        "one place": (np.full(count, -93.26), np.full(count, 44.97)),
    }[strays]
    latitude, longitude = np.append(latitude, far[0]), np.append(longitude, far[1])
    found = grids.propose(latitude, longitude, np.append(weights, np.ones(count)))
    assert found == clean


def test_a_second_town_is_no_error():
    latitude = np.append(np.linspace(37.76, 37.80, 50), np.linspace(37.32, 37.34, 10))
    longitude = np.append(np.linspace(-122.42, -122.38, 50), np.linspace(-121.91, -121.88, 10))
    assert not grids.are_far(latitude, longitude, np.append(np.full(50, 95), np.full(10, 25))).any()
    assert (
        grids.are_far(latitude, longitude, np.append(np.full(50, 95), np.full(10, 4))).sum() == 10
    )


@settings(max_examples=40, deadline=None)
@given(grid_configs(), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_no_proposal_has_more_cells_than_are_of_use(box, count, seed):
    random = np.random.default_rng(seed)
    latitude = random.uniform(box.south, box.north, count)
    longitude = random.uniform(box.west, box.east, count)
    grid = grids.propose(latitude, longitude, np.ones(count))
    assert max(grid.rows, grid.cols) <= grids.MOST_CELLS


def test_cells_too_small_for_the_box_are_refused():
    latitude, longitude, weights = np.array([-35.0, 60.0]), np.array([-74.0, 100.0]), np.full(2, 9)
    grid = grids.propose(latitude, longitude, weights)
    assert max(grid.rows, grid.cols) == grids.MOST_CELLS
    with pytest.raises(ConfigError, match=r"--cell-metres: expected [\d,]+ or more") as raised:
        grids.propose(latitude, longitude, weights, metres=500)
    least = float(str(raised.value).split()[2].replace(",", ""))
    grid = grids.propose(latitude, longitude, weights, metres=least)
    assert max(grid.rows, grid.cols) == grids.MOST_ASKED
