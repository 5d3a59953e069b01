"""The simulated city, trips drawn from one seed: the built-in default data, and the data of the tests.

`simulation.world` describes the city, and why a trained model beats an average; this module draws the trips.
Times are local and naive: every day has 24 hours. A longer span with the same seed begins with exactly the trips
of the shorter one.
"""

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from crowdflow.schema.errors import ConfigError
from crowdflow.schema.intervals import (
    DAYS_PER_WEEK,
    MINUTES_PER_DAY,
    date_to_minutes,
    from_datetime64,
    to_datetime64,
)
from crowdflow.simulation.world import (
    SPRINKLE,
    Places,
    draw_holidays,
    draw_weather,
    expected_trips,
    goal_shares,
    lay_out,
)

# A separate stream of random numbers each, so that a change to one leaves the others alone.
_STREAMS = ["map", "holidays", "weather", "level", "starts", "goals", "events", "rides", "crowds"]
_EVENT_CROWD = 4.0  # people at an event, in units of `CitySpec.demand`


@dataclasses.dataclass(frozen=True)
class CitySpec:
    """The settings of a simulated city. The same spec always gives the same city.

    Attributes:
      rows: H, row 0 is north.
      cols: W, column 0 is west.
      minutes: length of a flow interval; divides a day. The trips do not depend on it.
      start_date: first day, YYYY-MM-DD.
      days: length of the span.
      seed: of all random streams.
      demand: trips per hour and active cell at the morning peak of a Monday in fair weather.
      events_per_week: average number of events.
      south: southern edge of the grid, degrees; likewise west, north and east.
    """

    rows: int = 8
    cols: int = 8
    minutes: int = 60
    start_date: str = "2024-04-01"
    days: int = 70
    seed: int = 1
    demand: float = 20.0
    events_per_week: float = 1.5
    south: float = 40.70
    west: float = -74.02
    north: float = 40.78
    east: float = -73.94

    def __post_init__(self):
        self._require(self.rows >= 2, "rows", "at least 2")
        self._require(self.cols >= 2, "cols", "at least 2")
        ok = self.minutes >= 1 and MINUTES_PER_DAY % self.minutes == 0
        self._require(ok, "minutes", "a divisor of 1440")
        try:
            dt.date.fromisoformat(self.start_date)
        except ValueError:
            self._require(False, "start_date", "a date YYYY-MM-DD")
        self._require(self.days >= 8, "days", "at least 8, a week and a day")
        self._require(self.seed >= 0, "seed", "0 or more")
        self._require(self.demand > 0, "demand", "above 0")
        self._require(0 <= self.events_per_week <= 7, "events_per_week", "within 0..7")
        self._require(self.north > self.south, "north", f"above south, {self.south}")
        self._require(self.east > self.west, "east", f"above west, {self.west}")

    def _require(self, ok: bool, field: str, expected: str) -> None:
        if not ok:
            received = getattr(self, field)
            raise ConfigError(f"city.{field}: expected {expected}. Received: {received!r}.")

    @property
    def first(self) -> int:
        """Wall-clock minutes of the first day's midnight."""
        return date_to_minutes(dt.date.fromisoformat(self.start_date))

    @property
    def starts(self) -> np.ndarray:
        """Wall-clock minutes of the intervals' starts, int64 `[n]`."""
        return self.first + np.arange(0, self.days * MINUTES_PER_DAY, self.minutes, np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class SimulatedCity:
    """What `simulate` draws.

    Attributes:
      spec: its settings.
      trips: one row per trip, ordered by start: start_time, end_time (naive local, whole seconds); start_row,
        start_col, end_row, end_col (cells); start_lat, start_lon, end_lat, end_lon (degrees, inside
        those cells).
      starts: the intervals, wall-clock minutes, int64 `[n]`.
      frames: float32 `[n, H, W, 2]`, trips ended (inflow) and started (outflow) per interval.
      weather: one row per interval: time, weather (kind 0..16), temperature (Fahrenheit), wind_speed
        (miles per hour), as observed in the hour of the interval's start.
      holidays: dates on which people behave as on a Sunday.
      events: one row per event: its start time, row, col. People arrive in the two hours before the start and
        leave two to four hours after it.
    """

    spec: CitySpec
    trips: pd.DataFrame
    starts: np.ndarray
    frames: np.ndarray
    weather: pd.DataFrame
    holidays: list[dt.date]
    events: pd.DataFrame


def simulate(spec: CitySpec) -> SimulatedCity:
    """Draws the city that a spec describes."""
    hours = spec.first + 60 * np.arange(spec.days * 24)
    places = lay_out(_stream(spec, "map"), spec.rows, spec.cols)
    holidays = draw_holidays(_stream(spec, "holidays"), spec.first, spec.days)
    weather = draw_weather(_stream(spec, "weather"), hours)
    expected = expected_trips(_stream(spec, "level"), places, hours, holidays, weather, spec.demand)
    events, crowds = _draw_events(spec, places)
    usual = _ride(spec, places, _draw_journeys(spec, places, expected), "rides")
    extra = _ride(spec, places, crowds, "crowds")
    trips = pd.concat([usual, extra]).sort_values("start_time", kind="stable", ignore_index=True)
    observed = pd.DataFrame(
        {
            "time": to_datetime64(spec.starts).astype("datetime64[ns]"),
            "weather": weather.kind[(spec.starts - spec.first) // 60],
            "temperature": weather.temperature[(spec.starts - spec.first) // 60],
            "wind_speed": weather.wind_speed[(spec.starts - spec.first) // 60],
        }
    )
    frames = count_flows(spec, trips)
    return SimulatedCity(spec, trips, spec.starts, frames, observed, holidays, events)


def count_flows(spec: CitySpec, trips: pd.DataFrame) -> np.ndarray:
    """Counts a city's trips as flow frames: ends are inflow, starts are outflow.

    Args:
      spec: for the grid and the intervals.
      trips: see `SimulatedCity.trips`.

    Returns:
      float32 `[n, H, W, 2]`, trips per interval. Ends after the last interval are not counted.
    """
    shape = (len(spec.starts), spec.rows, spec.cols)
    channels = []
    for side in ("end", "start"):
        minute = from_datetime64(trips[f"{side}_time"].to_numpy())
        interval = (minute - spec.first) // spec.minutes
        index = (interval * spec.rows + trips[f"{side}_row"]) * spec.cols + trips[f"{side}_col"]
        channels.append(np.bincount(index[interval < shape[0]], minlength=np.prod(shape)))
    return np.stack([c.reshape(shape) for c in channels], axis=-1).astype(np.float32)


def describe(city: SimulatedCity) -> dict[str, Any]:
    """Summarizes a city in plain Python values, for people to read."""
    busiest = int(city.frames.sum(axis=(0, 3)).argmax())
    row, col = divmod(busiest, city.spec.cols)
    used = city.frames.any(axis=(0, 3))
    return {
        "trips": len(city.trips),
        "trips_ending_after_the_span": len(city.trips) - int(city.frames[..., 0].sum(dtype=float)),
        "first_day": city.spec.start_date,
        "days": city.spec.days,
        "intervals": len(city.starts),
        "minutes": city.spec.minutes,
        "cells": used.size,
        "active_cells": int(used.sum()),
        "busiest_cell": [row, col],
        "busiest_cell_max_flow": int(city.frames[:, row, col].max()),
        "holidays": [str(day) for day in city.holidays],
        "events": len(city.events),
        "rainy_share": round(float((city.weather["weather"] >= SPRINKLE).mean()), 3),
    }


def _stream(spec: CitySpec, name: str, *index: int) -> np.random.Generator:
    return np.random.default_rng([spec.seed, _STREAMS.index(name), *index])


def _draw_journeys(spec: CitySpec, places: Places, expected: np.ndarray) -> np.ndarray:
    """Hour, origin and destination of the everyday trips, int64 `[3, trips]`, in order of hour."""
    counts = _stream(spec, "starts").poisson(expected)
    flat = np.repeat(np.arange(counts.size), counts.ravel())
    hour, purpose, origin = np.unravel_index(flat, counts.shape)
    cells = len(places.active)
    upto = goal_shares(places).cumsum(axis=-1).reshape(-1, cells)
    upto /= upto[:, -1:]
    # One search for all trips: the distribution of row r lies between r and r + 1. The sum with a float32
    # draw stays below r + 1; with a float64 draw it can round up.
    row = purpose * cells + origin
    luck = row + _stream(spec, "goals").random(len(row), np.float32)
    found = np.searchsorted((upto + np.arange(len(upto))[:, None]).ravel(), luck, side="right")
    return np.stack([hour, origin, found - row * cells])


def _draw_events(spec: CitySpec, places: Places) -> tuple[pd.DataFrame, np.ndarray]:
    """The events, and the hour, origin and destination, int64 `[3, trips]`, of trips to and from them."""
    events, crowds = [], [np.empty((3, 0), np.int64)]
    for day in range(spec.days):
        rng = _stream(spec, "events", day)
        if rng.random() >= spec.events_per_week / DAYS_PER_WEEK:
            continue
        cell = rng.choice(np.flatnonzero(places.active))
        begins = 24 * day + rng.integers(14, 20)
        people = rng.poisson(_EVENT_CROWD * spec.demand)
        homes = rng.choice(len(places.homes), people, p=places.homes)
        here = np.full(people, cell)
        crowds.append(np.stack([begins - 1 - rng.integers(2, size=people), homes, here]))
        crowds.append(np.stack([begins + 2 + rng.integers(2, size=people), here, homes]))
        events.append((spec.first + 60 * begins, *divmod(cell, spec.cols)))
    table = pd.DataFrame(events, columns=["time", "row", "col"], dtype=np.int64)
    table["time"] = to_datetime64(table["time"]).astype("datetime64[ns]")
    return table, np.concatenate(crowds, axis=1)


def _ride(spec: CitySpec, places: Places, journeys: np.ndarray, stream: str) -> pd.DataFrame:
    """The table of trips for journeys: hour, origin and destination, int64 `[3, trips]`."""
    hour, origin, goal = journeys
    rng = _stream(spec, stream)
    luck = rng.spawn(1)[0].normal(0.0, 0.25, len(hour))
    within = rng.random((len(hour), 5))
    start = 60 * (spec.first + 60 * hour) + (3600 * within[:, 0]).astype(np.int64)
    lasts = (240 + 2400 * places.distance[origin, goal]) * np.exp(luck)  # seconds
    table = {
        f"{side}_time": seconds.astype("datetime64[s]").astype("datetime64[ns]")
        for side, seconds in (("start", start), ("end", start + lasts.astype(np.int64)))
    }
    for side, cell in (("start", origin), ("end", goal)):
        table[f"{side}_row"], table[f"{side}_col"] = np.divmod(cell, spec.cols)
    # Away from the edges of the cell, so that rounding moves no position across.
    spots = 0.01 + 0.98 * within[:, 1:]
    for side, (down, right) in (("start", spots[:, :2].T), ("end", spots[:, 2:].T)):
        south = (table[f"{side}_row"] + down) / spec.rows * (spec.north - spec.south)
        east = (table[f"{side}_col"] + right) / spec.cols * (spec.east - spec.west)
        table[f"{side}_lat"] = (spec.north - south).round(6)
        table[f"{side}_lon"] = (spec.west + east).round(6)
    return pd.DataFrame(table)
