"""Whether the data need a time zone that is not set."""

import pytest

from crowdflow.config import Config
from crowdflow.ingest.times.zones import nearest_zones, require_zone
from crowdflow.schema.errors import ConfigError


def box(latitude, longitude):
    return {
        "south": latitude - 0.1,
        "west": longitude - 0.1,
        "north": latitude + 0.1,
        "east": longitude + 0.1,
    }


@pytest.mark.parametrize("place", [(40.72, -74.0), (42.36, -71.06), (38.9, -77.03), (40.44, -80.0)])
def test_where_the_clocks_are_new_yorks_none_is_needed(place):
    require_zone(Config.from_dict({"grid": box(*place)}))


@pytest.mark.parametrize(
    "place", [(44.97, -93.26), (41.88, -87.63), (51.5, -0.12), (41.15, -8.62), (37.77, -122.4)]
)
def test_elsewhere_it_must_be_set(place):
    values = {"grid": box(*place)}
    with pytest.raises(ConfigError, match="intervals.timezone: expected the city's time zone"):
        require_zone(Config.from_dict(values))
    require_zone(Config.from_dict({**values, "intervals": {"timezone": "UTC"}}))


def test_the_nearest_zones():
    assert nearest_zones(41.9, -87.6, 1) == ["America/Chicago"]
    assert nearest_zones(-33.9, 151.2, 2)[0] == "Australia/Sydney"
