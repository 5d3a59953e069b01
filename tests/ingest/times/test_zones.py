"""Whether the data need a time zone that is not set."""

import pytest

from crowdflow.config import Config
from crowdflow.ingest.times.zones import proposed_zone, require_zone, zones_in
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


@pytest.mark.parametrize(
    ("place", "zone"),
    [((41.9, -87.6), "America/Chicago"), ((44.97, -93.26), "America/Chicago"),
     ((-33.9, 151.2), "Australia/Sydney"), ((39.9, 116.4), "Asia/Shanghai"),
     ((41.15, -8.62), "Europe/Lisbon"), ((38.25, -85.75), "America/Kentucky/Louisville")],
)  # fmt: skip
def test_the_zone_of_a_city(place, zone):
    grid = Config.from_dict({"grid": box(*place)}).grid
    assert (proposed_zone(grid), zones_in(grid)[0]) == (zone, zone)


def test_a_box_across_a_border_of_zones_has_none():
    values = {"grid": box(41.73, -86.51)}  # the east of LaPorte County and the west of St. Joseph's
    grid = Config.from_dict(values).grid
    assert {"America/Chicago", "America/Indiana/Indianapolis"} <= {*zones_in(grid)}
    assert proposed_zone(grid) is None
    with pytest.raises(ConfigError, match="Zones in its box: .*America/Chicago"):
        require_zone(Config.from_dict(values))


def test_zones_that_meet_with_the_same_clocks_are_one():
    grid = Config.from_dict({"grid": {**box(39.1, -84.5), "west": -85.3}}).grid
    assert len(zones_in(grid)) > 1 and proposed_zone(grid) == zones_in(grid)[0]


def test_at_sea_the_zone_is_that_of_the_sea():
    grid = Config.from_dict({"grid": box(30, -40)}).grid
    assert proposed_zone(grid).startswith("Etc/")
