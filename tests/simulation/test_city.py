"""The simulated city: what it draws, and that a model can learn from it."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from crowdflow.schema.errors import ConfigError
from crowdflow.schema.intervals import format_start
from crowdflow.simulation.city import CitySpec, describe, simulate
from crowdflow.simulation.world import OVERCAST, SPRINKLE

SMALL = CitySpec(rows=4, cols=5, days=21, demand=6.0)


@pytest.fixture(scope="module")
def city():
    return simulate(CitySpec())


@pytest.fixture(scope="module")
def small():
    return simulate(SMALL)


def _calendar(city):
    """Hour of the day, and whether it is a day off, of each interval."""
    times = pd.DatetimeIndex(city.weather["time"])
    off = (times.dayofweek >= 5) | np.isin(times.date, city.holidays)
    return times.hour.to_numpy(), np.asarray(off)


def test_the_same_spec_is_the_same_city_and_another_seed_is_not(small):
    again = simulate(SMALL)
    pd.testing.assert_frame_equal(small.trips, again.trips)
    pd.testing.assert_frame_equal(small.weather, again.weather)
    np.testing.assert_array_equal(small.frames, again.frames)
    other = simulate(CitySpec(rows=4, cols=5, days=21, demand=6.0, seed=2))
    assert not np.array_equal(small.frames, other.frames)


def test_a_longer_span_begins_with_the_trips_of_the_shorter(small):
    longer = simulate(CitySpec(rows=4, cols=5, days=30, demand=6.0))
    until = pd.Timestamp("2024-04-22")
    begun = longer.trips[longer.trips["start_time"] < until]
    pd.testing.assert_frame_equal(begun, small.trips)
    pd.testing.assert_frame_equal(longer.weather[: len(small.starts)], small.weather)
    assert [day for day in longer.holidays if day < until.date()] == small.holidays


def test_the_trips_do_not_depend_on_the_interval(small):
    halves = simulate(CitySpec(rows=4, cols=5, days=21, demand=6.0, minutes=30))
    pd.testing.assert_frame_equal(halves.trips, small.trips)
    np.testing.assert_array_equal(halves.frames[0::2] + halves.frames[1::2], small.frames)
    np.testing.assert_array_equal(np.diff(halves.starts), 30)


def test_frames_equal_a_plain_count_of_the_trips(small):
    expected, late = np.zeros_like(small.frames), 0
    midnight = dt.datetime(2024, 4, 1)
    for trip in small.trips.itertuples():
        begun = int((trip.start_time - midnight).total_seconds() // 3600)
        ended = int((trip.end_time - midnight).total_seconds() // 3600)
        expected[begun, trip.start_row, trip.start_col, 1] += 1
        if ended < len(expected):
            expected[ended, trip.end_row, trip.end_col, 0] += 1
        else:
            late += 1
    np.testing.assert_array_equal(small.frames, expected)
    assert late == describe(small)["trips_ending_after_the_span"]


def test_no_trip_is_lost(city):
    inflow, outflow = city.frames.sum(axis=(0, 1, 2), dtype=np.float64)
    summary = describe(city)
    assert outflow == len(city.trips) == summary["trips"]
    assert inflow + summary["trips_ending_after_the_span"] == len(city.trips)
    assert 0 < summary["trips_ending_after_the_span"] < 1000


def test_trips_are_well_formed_and_lie_in_their_cells(small):
    trips, spec = small.trips, small.spec
    assert trips["start_time"].is_monotonic_increasing
    assert trips["start_time"].dt.microsecond.max() == 0
    assert (trips["start_time"].dt.second > 0).any()
    lasts = (trips["end_time"] - trips["start_time"]).dt.total_seconds()
    assert 60 < lasts.min() and lasts.max() < 4 * 3600
    for side in ("start", "end"):
        down = (spec.north - trips[f"{side}_lat"]) / (spec.north - spec.south) * spec.rows
        right = (trips[f"{side}_lon"] - spec.west) / (spec.east - spec.west) * spec.cols
        np.testing.assert_array_equal(np.floor(down), trips[f"{side}_row"])
        np.testing.assert_array_equal(np.floor(right), trips[f"{side}_col"])


def test_the_size_of_the_default_city(city):
    summary = describe(city)
    assert (summary["days"], summary["intervals"], summary["cells"]) == (70, 1680, 64)
    assert 40 < summary["active_cells"] < 64
    assert not city.frames[:, -1, -1].any()  # the bay
    assert 50 <= summary["busiest_cell_max_flow"] <= 160
    assert 4 <= summary["events"] <= 40
    assert len(summary["holidays"]) == 4
    assert 0.1 < summary["rainy_share"] < 0.35
    json.dumps(summary)


def test_people_commute_into_the_centre_and_out_again(city):
    hour, off = _calendar(city)
    centre = city.frames[:, 2:5, 2:5].sum(axis=(1, 2))  # [n, 2]

    def mean(hours, channel):
        return centre[~off & np.isin(hour, hours), channel].mean()

    morning, evening = (7, 8), (17, 18)
    assert mean(morning, 0) > 2 * mean(morning, 1)
    assert mean(evening, 1) > 2 * mean(evening, 0)
    assert mean(morning, 0) > 2 * mean(evening, 0)


def test_days_off_have_another_rhythm_and_holidays_are_days_off(city):
    hour, off = _calendar(city)
    total = city.frames[..., 1].sum(axis=(1, 2))
    date = pd.DatetimeIndex(city.weather["time"]).date
    at_eight, at_two = hour == 8, hour == 14
    assert total[~off & at_eight].mean() > 4 * total[off & at_eight].mean()
    assert total[off & at_two].mean() > 1.2 * total[~off & at_two].mean()
    holiday = np.isin(date, city.holidays)
    assert all(day.weekday() < 5 for day in city.holidays)
    assert total[holiday & at_eight].mean() < total[~off & at_eight].mean() / 3


def test_rain_keeps_people_at_home_and_lasts_for_hours(city):
    hour, off = _calendar(city)
    total = city.frames[..., 1].sum(axis=(1, 2))
    wet = city.weather["weather"].to_numpy() >= SPRINKLE
    dry = city.weather["weather"].to_numpy() <= OVERCAST
    assert np.all(wet | dry)
    ratios = []
    for day_kind in (off, ~off):
        for h in range(7, 22):
            here = day_kind & (hour == h)
            if (here & wet).any():
                ratios.append(total[here & wet].mean() / total[here & dry].mean())
    assert np.mean(ratios) < 0.8
    assert wet[1:][wet[:-1]].mean() > 2 * wet.mean()


def test_weather_is_hourly_and_plausible(city):
    assert city.weather["weather"].between(0, 16).all()
    assert city.weather["temperature"].between(-10, 115).all()
    assert city.weather["wind_speed"].between(0, 80).all()
    halves = simulate(CitySpec(rows=2, cols=2, days=8, minutes=30)).weather
    readings = halves.drop(columns="time")
    pd.testing.assert_frame_equal(
        readings[0::2].reset_index(drop=True), readings[1::2].reset_index(drop=True)
    )


def test_an_event_draws_a_crowd_and_sends_it_home(city):
    spans = {0: (-2, 0), 1: (2, 4)}  # in before, out after, in hours from the event
    for channel, (begin, end) in spans.items():
        more = []
        for event in city.events.itertuples():
            at = int((event.time - pd.Timestamp("2024-04-01")) / pd.Timedelta(hours=1))
            flow = city.frames[:, event.row, event.col, channel].reshape(-1, 24)
            hours = slice(at % 24 + begin, at % 24 + end)
            more.append(flow[at // 24, hours].sum() - np.median(flow[:, hours].sum(axis=1)))
        assert np.median(more) > 40
    assert city.events["time"].dtype == "datetime64[ns]"


def test_what_learns_from_recent_flows_beats_the_historical_average(city):
    """Ridge regression on lags against the expanding mean of the hour of the week, last 7 days."""
    week = 168
    flows = city.frames.reshape(len(city.frames), -1).astype(np.float64)
    target = np.arange(week, len(flows))
    average = np.stack([flows[t % week : t : week].mean(axis=0) for t in target])
    test = target >= len(flows) - week
    active = np.flatnonzero(city.frames.any(axis=(0, 3)))
    errors, average_errors = [], []
    for cell in active:
        both = slice(2 * cell, 2 * cell + 2)  # inflow and outflow
        columns = [flows[target - lag, both] for lag in (1, 2, 3, 24, 168)]
        inputs = np.concatenate([*columns, average[:, both], np.ones((len(target), 1))], axis=1)
        seen, truth = inputs[~test], flows[target, both]
        penalty = 100 * np.eye(inputs.shape[1])
        weights = np.linalg.solve(seen.T @ seen + penalty, seen.T @ truth[~test])
        errors.append((inputs @ weights - truth)[test])
        average_errors.append((average[:, both] - truth)[test])
    ridge, historical = (np.sqrt(np.mean(np.square(e))) for e in (errors, average_errors))
    assert ridge < 0.85 * historical


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 7}, "city.days: expected at least 8"),
        ({"rows": 1}, "city.rows"),
        ({"minutes": 50}, "city.minutes: expected a divisor of 1440. Received: 50"),
        ({"start_date": "1 April"}, "city.start_date: expected a date YYYY-MM-DD"),
        ({"demand": 0.0}, "city.demand"),
        ({"north": 40.0}, "city.north: expected above south"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        CitySpec(**wrong)


def test_times_are_the_wall_clock(small):
    assert format_start(small.starts[0]) == "2024-04-01 00:00"
    assert format_start(small.starts[-1]) == "2024-04-21 23:00"
