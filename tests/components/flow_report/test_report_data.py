import numpy as np
import pytest

from crowdflow.components.flow_report import report_data
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
    filled, values = report_data.with_gaps(times, np.arange(5, dtype=np.float32), 60)
    np.testing.assert_array_equal(filled.astype(int), [0, 60, 120, 240, 300, 360, 420])
    np.testing.assert_array_equal(values, [0, 1, np.nan, 2, 3, np.nan, 4])


def test_no_gap_leaves_everything_as_it_is():
    times = np.arange(4) * 30
    filled, values = report_data.with_gaps(times, np.ones((4, 2)), 30)
    np.testing.assert_array_equal(filled, times.astype("datetime64[m]"))
    np.testing.assert_array_equal(values, np.ones((4, 2)))


def test_last_week_is_exactly_seven_days_of_intervals():
    times = MONDAY + np.arange(10 * 24) * 60
    part = times[report_data.last_week(times)]
    assert len(part) == 7 * 24 and part[-1] == times[-1]


def test_busiest_cell_is_the_largest_sum_of_both_flows(make_report):
    data = make_report(days=2)
    sums = {
        (y, x): sum(float(data.truth[i, 0, y, x].sum()) for i in range(len(data.truth)))
        for y in range(16)
        for x in range(8)
    }
    assert report_data.busiest_cell(data) == max(sums, key=sums.get)


def test_chosen_windows_are_a_working_days_peaks_and_the_largest_error(make_report):
    data = make_report()
    data.prediction[37] += 500
    chosen = {
        label: format_start(data.target_times[i]) for label, i in report_data.chosen_windows(data)
    }
    assert list(chosen) == ["Morning peak", "Midday", "Evening peak", "Largest error"]
    day = chosen["Morning peak"][:10]
    assert np.is_busday(np.datetime64(day))
    assert chosen["Evening peak"][:10] == chosen["Midday"][:10] == day
    assert chosen["Largest error"] == format_start(data.target_times[37]) == "2014-09-22 13:00"
    city = data.truth[:, 0].sum(axis=(1, 2, 3))
    at = {format_start(t): float(c) for t, c in zip(data.target_times, city)}
    assert at[chosen["Morning peak"]] == max(at[f"{day} {hour:02d}:00"] for hour in range(6, 11))
    assert at[chosen["Evening peak"]] == max(at[f"{day} {hour:02d}:00"] for hour in range(15, 21))


def test_largest_error_at_a_peak_is_shown_once(make_report):
    data = make_report(days=2)  # a Sunday and a Monday
    morning = dict(report_data.chosen_windows(data)).get("Morning peak", 24 + 8)
    data.prediction[morning] += 500
    chosen = report_data.chosen_windows(data)
    assert ("Morning peak, largest error", morning) in chosen and len(chosen) == 3


def test_a_single_night_window_is_chosen_as_the_largest_error(make_report):
    data = make_report(times=np.array([MONDAY + 120]))
    assert report_data.chosen_windows(data) == [("Largest error", 0)]


def test_only_weekend_days_still_give_a_typical_day(make_report):
    data = make_report(days=1)  # a Sunday
    assert len(report_data.chosen_windows(data)) >= 3


def test_rmse_active_is_the_metric_of_the_table(make_report):
    data = make_report(days=1)
    value = report_data.rmse_active(data.prediction, data.truth, data.active, axis=(0, 1, 2, 3, 4))
    assert value == pytest.approx(data.metrics["model"]["rmse_active_cells"], rel=1e-5)
    expected = data.metrics["model"]["rmse_all_cells"] * np.sqrt(128 / data.active.sum())
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "field, value, words",
    [
        (
            "prediction",
            np.zeros((24, 2, 16, 8, 2)),
            r"prediction: .*\[24, 1, 16, 8, 2\].*\[24, 2, 16, 8, 2\]",
        ),
        ("truth", np.zeros((0, 1, 16, 8, 2)), "truth: .*n of at least 1"),
        ("active", np.ones((8, 16), bool), r"active: .*\[16, 8\].*\[8, 16\]"),
        ("target_times", np.zeros(23, np.int64), r"target_times: .*\[24\].*\[23\]"),
        ("target_times", np.zeros(24, np.int64), "rising"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(make_report, field, value, words):
    with pytest.raises(DataError, match=words):
        make_report(days=1, **{field: value})
