"""The world of the simulated city: map, calendar and weather, and the expected trips by hour.

People live around a business centre: they commute in the morning and back in the evening, run errands, go
out at weekends, on holidays and at night, and stay at home when it rains. Demand drifts slowly, both
citywide and by neighbourhood, so the last hours and days hold information that a long average does not. A
bay in the south-east corner has no trips.

Every process is drawn forward in time, so a longer span of the same stream begins with the shorter one. `C` is
the number of cells, row by row.
"""

import dataclasses
import datetime as dt
from typing import NamedTuple

import numpy as np

from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, minutes_to_date, weekday

# Kinds of weather, numbered as in the TaxiBJ meteorology file. `_WETNESS` has the level (of a standard normal
# process) at which each kind after the first begins, `_LEFT` the share of demand that remains.
SUNNY, CLOUDY, OVERCAST, SPRINKLE, MODERATE_RAIN, HEAVY_RAIN = 0, 1, 2, 4, 5, 6
_KINDS = np.array([SUNNY, CLOUDY, OVERCAST, SPRINKLE, MODERATE_RAIN, HEAVY_RAIN])
_WETNESS = np.array([-0.3, 0.3, 0.8, 1.2, 1.8])
_LEFT = np.array([1.0, 1.0, 0.97, 0.75, 0.55, 0.4])
_WEATHER_MEMORY = 14.0  # hours

# The purposes of a trip: to work, from work, errand, going out, coming back. For each purpose: how strongly it
# responds to the weather, and its daily profile as (height, hour of the peak, width in hours).
_SENSITIVITY = np.array([0.8, 0.8, 1.0, 1.4, 1.4])
_WORKDAY = ((1.0, 8.0, 1.0), (0.85, 17.7, 1.4), (0.25, 13, 4.0), (0.2, 19, 1.8), (0.2, 21.8, 1.5))
_DAY_OFF = ((0.05, 9.5, 1.5), (0.05, 17, 2.0), (0.35, 14, 3.5), (0.45, 13.5, 3.0), (0.4, 18.5, 3.0))
_NIGHT = 0.004
_WEEKDAY_LEVEL = np.array([1.0, 1.04, 1.06, 1.02, 0.92, 1.0, 0.9])  # Monday to Sunday

_BAY_SHARE = 0.15
_CENTRE = (0.45, 0.45)  # from north and west; distances are in units of the city's side
_REACH = 0.35
_HOLIDAY_WEEKS = 3
_NEIGHBOURHOODS = 6


@dataclasses.dataclass(frozen=True)
class Places:
    """The map.

    Attributes:
      active: bool `[C]`, the cells with trips.
      origins: float `[purposes, C]`, each cell's share of the trips that start, by purpose.
      goals: float `[purposes, C]`, how strongly each cell attracts trips, by purpose.
      distance: float `[C, C]`, in units of the city's side.
      neighbourhoods: float `[C, neighbourhoods]`, how strongly each cell belongs to each.
    """

    active: np.ndarray
    origins: np.ndarray
    goals: np.ndarray
    distance: np.ndarray
    neighbourhoods: np.ndarray

    @property
    def homes(self) -> np.ndarray:
        """Each cell's share of the population, float `[C]`: where trips to work start."""
        return self.origins[0]


class Weather(NamedTuple):
    """The observations of each hour, `[hours]`."""

    kind: np.ndarray  # int64, 0..16
    temperature: np.ndarray  # Fahrenheit
    wind_speed: np.ndarray  # miles per hour


def lay_out(rng: np.random.Generator, rows: int, cols: int) -> Places:
    """Draws the map of a city of `rows` x `cols` cells."""
    row, col = np.divmod(np.arange(rows * cols), cols)
    spot = np.stack([(row + 0.5) / rows, (col + 0.5) / cols], axis=1)

    def near(places: np.ndarray, width: float) -> np.ndarray:
        squared = ((spot[:, None] - places) ** 2).sum(axis=-1)
        return np.exp(-squared / (2 * width**2))  # [C, places]

    to_corner = ((1 - spot) ** 2).sum(axis=1)
    active = np.ones(len(spot), bool)
    active[np.argsort(to_corner, kind="stable")[: max(1, round(_BAY_SHARE * len(spot)))]] = False
    centre = near(np.array([_CENTRE]), 0.17)[:, 0]
    haunts = near(rng.uniform(0.15, 0.7, (3, 2)), 0.1).sum(axis=1)
    weights = np.stack([1.05 - centre, centre + 0.01, haunts + 0.03])
    homes, work, leisure = as_shares(active * rng.lognormal(0.0, 0.3, weights.shape) * weights)
    mixed = (homes + work) / 2
    return Places(
        active=active,
        origins=np.stack([homes, work, mixed, homes, leisure]),
        goals=np.stack([work, homes, mixed, leisure, homes]),
        distance=np.sqrt(((spot[:, None] - spot) ** 2).sum(axis=-1)),
        neighbourhoods=near(rng.random((_NEIGHBOURHOODS, 2)), 0.2),
    )


def as_shares(weights: np.ndarray) -> np.ndarray:
    """Weights `[..., C]` scaled to sum to one over the cells."""
    return weights / weights.sum(axis=-1, keepdims=True)


def goal_shares(places: Places) -> np.ndarray:
    """The destinations of each origin's trips as shares, float `[purposes, C origins, C destinations]`."""
    return as_shares(places.goals[:, None, :] * np.exp(-places.distance / _REACH))


def draw_holidays(rng: np.random.Generator, first: int, days: int) -> list[dt.date]:
    """Draws one working day in the first week and in every third week after it.

    Args:
      rng: its random stream.
      first: wall-clock minutes of the first day's midnight.
      days: length of the span.
    """
    found = []
    for start in range(0, days, DAYS_PER_WEEK * _HOLIDAY_WEEKS):
        week = first + MINUTES_PER_DAY * np.arange(start, start + DAYS_PER_WEEK)
        found.append(minutes_to_date(rng.choice(week[weekday(week) < 5])))
    return [day for day in found if day < minutes_to_date(first + days * MINUTES_PER_DAY)]


def draw_weather(rng: np.random.Generator, hours: np.ndarray) -> Weather:
    """Draws weather that changes over half a day; `hours` are wall-clock minutes, int64 `[hours]`."""
    wet, warm, windy = _drift(rng, len(hours), 3, _WEATHER_MEMORY).T
    year = 2 * np.pi * (hours / MINUTES_PER_DAY / 365.2425)
    day = 2 * np.pi * (hours % MINUTES_PER_DAY) / MINUTES_PER_DAY
    temperature = 55 - 22 * np.cos(year - 0.35) - 7 * np.cos(day - 0.8) + 6 * warm - 3 * (wet > 1)
    kind = _KINDS[np.searchsorted(_WETNESS, wet)]
    return Weather(kind, temperature.round(2), (9 * np.exp(0.45 * windy)).round(2))


def expected_trips(
    rng: np.random.Generator,
    places: Places,
    hours: np.ndarray,
    holidays: list[dt.date],
    weather: Weather,
    demand: float,
) -> np.ndarray:
    """The expected number of trips that start, by hour, purpose and origin.

    Args:
      rng: random stream of the slow drift in demand.
      places: the map.
      hours: wall-clock minutes of each hour of whole days, int64 `[hours]`.
      holidays: dates on which people behave as on a Sunday.
      weather: of those hours.
      demand: trips per hour and active cell at the morning peak of a Monday in fair weather.

    Returns:
      float64 `[hours, purposes, C]`.
    """
    day_off = np.isin(hours // MINUTES_PER_DAY, np.array(holidays, "datetime64[D]").astype(int))
    day_off |= weekday(hours) >= 5
    profile = np.where(day_off[:, None], _profile(_DAY_OFF, hours), _profile(_WORKDAY, hours))
    left = _LEFT[np.searchsorted(_KINDS, weather.kind)]
    left = left * np.clip(1 + 0.006 * (weather.temperature - 60), 0.7, 1.15)
    left = left * (1 - 0.008 * np.clip(weather.wind_speed - 14, 0, 25))
    profile = profile * left[:, None] ** _SENSITIVITY * _WEEKDAY_LEVEL[weekday(hours)][:, None]
    local_rng = rng.spawn(1)[0]
    whole = 0.3 * _drift(rng, len(hours), 1, memory=72.0)
    local = 0.25 * _drift(local_rng, len(hours), _NEIGHBOURHOODS, memory=30.0)
    level = np.exp(whole + local @ places.neighbourhoods.T)  # [hours, C]
    total = demand * places.active.sum() * profile  # [hours, purposes]
    return total[:, :, None] * places.origins * level[:, None, :]


def _profile(table: tuple[tuple[float, float, float], ...], hours: np.ndarray) -> np.ndarray:
    """Demand by hour and purpose, `[hours, purposes]`, relative to the morning peak."""
    height, peak, width = np.array(table).T
    middle = (hours[:, None] % MINUTES_PER_DAY + 30) / 60
    return _NIGHT + height * np.exp(-(((middle - peak) / width) ** 2) / 2)


def _drift(rng: np.random.Generator, hours: int, width: int, memory: float) -> np.ndarray:
    """Standard normal processes `[hours, width]`, with an autocorrelation time of `memory` hours."""
    keep = np.exp(-1 / memory)
    path = rng.standard_normal((hours, width))
    path[1:] *= np.sqrt(1 - keep**2)
    for hour in range(1, hours):
        path[hour] += keep * path[hour - 1]
    return path
