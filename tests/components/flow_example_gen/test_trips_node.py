"""The node's executor on raw trips: the frames of the simulated city, and the account beside."""

import numpy as np
import pytest

from crowdflow.config import Config
from crowdflow.schema.errors import DataError
from crowdflow.simulation.city import CitySpec, simulate
from crowdflow.simulation.files import write_city


def test_trips_give_the_city_s_frames(tmp_path, ingest):
    city = simulate(CitySpec(rows=3, cols=4, days=8))
    grid = {n: getattr(city.spec, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    [trips] = write_city(city, tmp_path, ["trips"])
    found = ingest([str(trips)], Config.from_dict({"grid": grid}))
    np.testing.assert_array_equal(found.starts, city.starts)
    np.testing.assert_array_equal(found.maps, city.frames)
    counters = ingest.counters
    assert counters["starts_binned"] == counters["trips_read"] == len(city.trips)
    late = counters["end_rejects"]["outside_span"]
    assert counters["ends_binned"] == len(city.trips) - late == city.frames[..., 0].sum()
    assert len(ingest.rejects) == 1 + late

    with pytest.raises(DataError, match="more than trips.max_reject_share"):
        ingest([str(trips)], Config.from_dict({"grid": {**grid, "north": 40.74}}))
