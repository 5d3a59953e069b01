import numpy as np
import pytest

from crowdflow.components.flow_report.pairs import Pairs
from crowdflow.components.flow_report.period import summarise
from crowdflow.components.flow_report.plots import with_gaps
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import format_start

MONDAY = 16_335 * 1440  # 2014-09-22 00:00


@pytest.mark.parametrize(
    "minutes, unit",
    [(60, "trips / h"), (30, "trips / 30 min"), (120, "trips / 2 h"), (90, "trips / 90 min")],
)
def test_unit(make_report, minutes, unit):
    assert make_report(days=1, minutes=minutes).unit == unit


def test_gaps_become_nan_at_the_first_missing_interval():
    times = np.array([0, 60, 240, 300, 420])
    filled, values = with_gaps(times, np.arange(5, dtype=np.float32), 60)
    np.testing.assert_array_equal(filled.astype(int), [0, 60, 120, 240, 300, 360, 420])
    np.testing.assert_array_equal(values, [0, 1, np.nan, 2, 3, np.nan, 4])


def test_no_gap_leaves_everything_as_it_is():
    times = np.arange(4) * 30
    filled, values = with_gaps(times, np.ones((4, 2)), 30)
    np.testing.assert_array_equal(filled, times.astype("datetime64[m]"))
    np.testing.assert_array_equal(values, np.ones((4, 2)))


def test_the_week_is_exactly_seven_days_of_intervals(make_flows):
    found = make_flows(days=10).summary()
    assert len(found.week) == 7 * 24 and found.week[-1] == found.times[-1]


def test_sums_over_batches_are_those_of_the_arrays(make_flows):
    flows = make_flows(days=2, horizon=2)
    found = flows.summary()
    np.testing.assert_array_equal(found.times, flows.times)
    sums = flows.truth[:, 0].sum(axis=(0, 3), dtype=float)
    assert sums[found.busiest] == sums.max()
    for name, forecast in {"model": flows.prediction, **flows.naive}.items():
        squares = np.square(forecast.astype(float) - flows.truth)
        cells = np.sqrt(squares[:, 0].mean(axis=(0, 3)))
        np.testing.assert_allclose(found.cell_rmse[name], cells, rtol=1e-12)
        steps = np.sqrt(squares.mean(axis=(0, 2, 3, 4)) * 128 / flows.active.sum())
        np.testing.assert_allclose(found.step_rmse[name], steps, rtol=1e-12)
    bias = (flows.prediction.astype(float) - flows.truth)[:, 0].mean(axis=(0, 3))
    np.testing.assert_allclose(found.cell_bias, bias, rtol=1e-9)


def test_the_sums_give_the_metric_of_the_table(make_report):
    data = make_report(days=1)
    value = data.tested.step_rmse["model"][0]
    assert value == pytest.approx(data.metrics["model"]["rmse_active_cells"], rel=1e-5)
    expected = data.metrics["model"]["rmse_all_cells"] * np.sqrt(128 / data.tested.active.sum())
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [0.01, 1, 300, 1e6])
def test_pairs_are_counted_in_bins_that_grow_with_the_flows(scale):
    random = np.random.default_rng(3)
    parts = [(scale * random.gamma(1, 1, (2, 50, 2))).astype(np.float32) for _ in range(9)]
    pairs = Pairs()
    for true, predicted in parts:
        pairs.add(true, predicted)
    true, predicted = np.concatenate(parts, axis=1)
    assert pairs.largest == max(1, true.max(), predicted.max())
    assert pairs.largest <= pairs.top < 2 * pairs.largest or pairs.top == 1
    for channel in range(2):
        edges = np.linspace(0, pairs.top, Pairs.BINS + 1)
        expected, *_ = np.histogram2d(true[:, channel], predicted[:, channel], (edges, edges))
        np.testing.assert_array_equal(pairs.counts[channel], expected)
        x, y, counts = pairs.points(channel)
        assert counts.sum() == len(true) and counts.min() > 0
        assert abs((x * counts).sum() - true[:, channel].sum()) <= pairs.top / Pairs.BINS * len(
            true
        )
        assert (
            abs((y * counts).sum() - predicted[:, channel].sum())
            <= pairs.top / Pairs.BINS * len(y) * counts.max()
        )


def test_chosen_windows_are_a_working_days_peaks_and_the_largest_error(make_flows):
    flows = make_flows()
    flows.prediction[37] += 500
    found = flows.summary()
    chosen = {window.label: format_start(window.time) for window in found.shown}
    assert list(chosen) == ["Morning peak", "Midday", "Evening peak", "Largest error"]
    day = chosen["Morning peak"][:10]
    assert np.is_busday(np.datetime64(day))
    assert chosen["Evening peak"][:10] == chosen["Midday"][:10] == day
    assert chosen["Largest error"] == format_start(flows.times[37]) == "2014-09-22 13:00"
    city = flows.truth[:, 0].sum(axis=(1, 2, 3))
    at = {format_start(t): float(c) for t, c in zip(flows.times, city)}
    assert at[chosen["Morning peak"]] == max(at[f"{day} {hour:02d}:00"] for hour in range(6, 11))
    assert at[chosen["Evening peak"]] == max(at[f"{day} {hour:02d}:00"] for hour in range(15, 21))


def test_maps_are_those_of_their_windows_and_only_shown_ones_are_read_again(make_flows):
    flows, asked = make_flows(days=10), []
    flows.prediction[37] += 500  # more than a week before the last

    def read(times):
        asked.append(times)
        return flows.read(times)

    found = summarise(read, flows.active)
    rows = {window.label: np.searchsorted(flows.times, window.time) for window in found.shown}
    for window, row in zip(found.shown, rows.values()):
        np.testing.assert_array_equal(window.truth, flows.truth[row, 0])
        np.testing.assert_array_equal(window.prediction, flows.prediction[row, 0])
    arrays = {"truth": flows.truth, "model": flows.prediction, **flows.naive}
    for name, maps in found.week_maps.items():
        np.testing.assert_array_equal(maps, arrays[name][-7 * 24 :, 0])
    everything, older = asked
    assert everything is None and rows["Largest error"] == 37
    np.testing.assert_array_equal(
        older, sorted(t for t in flows.times[[*rows.values()]] if t < found.week[0])
    )


def test_largest_error_at_a_peak_is_shown_once(make_flows):
    flows = make_flows(days=2)  # a Sunday and a Monday
    times = {window.label: window.time for window in flows.summary().shown}
    morning = times.get("Morning peak", flows.times[24 + 8])
    flows.prediction[flows.times == morning] += 500
    shown = flows.summary().shown
    assert ("Morning peak, largest error", morning) in [s[:2] for s in shown] and len(shown) == 3


def test_a_single_night_window_is_chosen_as_the_largest_error(make_flows):
    [shown] = make_flows(times=np.array([MONDAY + 120])).summary().shown
    assert (shown.label, shown.time) == ("Largest error", MONDAY + 120)


def test_only_weekend_days_still_give_a_typical_day(make_flows):
    assert len(make_flows(days=1).summary().shown) >= 3  # a Sunday


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"active": np.ones((8, 16), bool)}, r"expected maps of \[8, 16, 2\].*\[16, 8, 2\]"),
        ({"times": np.zeros(24, np.int64)}, "expected one for each time"),
    ],
)
def test_windows_that_do_not_fit_are_refused(make_flows, fields, words):
    with pytest.raises(DataError, match=words):
        make_flows(days=1, **fields).summary()


def test_no_window_is_refused(make_flows):
    with pytest.raises(DataError, match="at least one"):
        summarise(lambda times: iter(()), make_flows(days=1).active)
