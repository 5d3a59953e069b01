import dataclasses

import numpy as np
import pytest
from matplotlib import dates

from crowdflow.components.flow_report import plots
from crowdflow.schema.features import NAIVE_FORECASTS

MONDAY = 16_335 * 1440


def replace(data, **fields):
    return dataclasses.replace(data, **fields)


def maps_of(figure):
    """Title-bearing axes with an image, as a `[rows, columns]` list of masked arrays."""
    return [axis.images[0] for axis in figure.axes if axis.images]


def test_the_pictures_of_a_plain_run(make_report):
    names = list(plots.figures(make_report(days=1)))
    assert names == ["maps_inflow", "maps_outflow", "week", "hours", "cells", "scatter", "training"]


def test_no_history_has_no_curves_and_a_horizon_has_steps(make_report):
    names = list(plots.figures(make_report(days=1, horizon=3, history=[])))
    assert "training" not in names and "steps" in names


@pytest.mark.parametrize("channel", [0, 1])
def test_maps_show_the_arrays_with_north_up_and_inactive_cells_masked(
    make_flows, make_report, channel
):
    data = make_flows(horizon=2)
    report = make_report(flows=data)
    figure = plots.flow_maps(report, channel)
    images = maps_of(figure)
    picks = [data.times.tolist().index(window.time) for window in report.tested.shown]
    count = len(picks)
    assert len(images) == 3 * count
    true, predicted = data.truth[picks, 0, ..., channel], data.prediction[picks, 0, ..., channel]
    for image, expected in zip(images, (*true, *predicted, *(predicted - true))):
        shown = image.get_array()
        np.testing.assert_array_equal(shown.mask, ~data.active)
        np.testing.assert_array_equal(shown.data[data.active], expected[data.active])
        bottom, top = image.axes.get_ylim()
        assert image.origin == "upper" and bottom > top

    limits = {image.get_clim() for image in images[: 2 * count]}
    assert limits == {(0, max(true[:, data.active].max(), predicted[:, data.active].max()))}
    ((low, high),) = {image.get_clim() for image in images[2 * count :]}
    assert low == -high and high == np.abs(predicted - true)[:, data.active].max()
    labels = [axis.get_ylabel() for axis in figure.axes]
    assert any(
        "trips / h" in label and "inflow outflow".split()[channel] in label for label in labels
    )
    assert "predicted − true,\ntrips / h" in labels


def test_all_zero_flows_without_an_active_cell_still_draw(make_flows, make_report):
    zero = np.zeros((24, 1, 16, 8, 2), np.float32)
    naive = dict.fromkeys(NAIVE_FORECASTS, zero)
    none = np.zeros((16, 8), bool)
    flows = make_flows(days=1, truth=zero, prediction=zero, naive=naive, active=none)
    data = make_report(flows=flows)
    for figure in plots.figures(data).values():
        figure.draw_without_rendering()
    low, high = maps_of(plots.flow_maps(data, 0))[-1].get_clim()
    assert low == -high < 0


def test_the_week_shows_the_busiest_cell_and_breaks_at_gaps(make_flows, make_report):
    times = MONDAY + np.arange(14 * 24) * 60
    keep = np.ones(len(times), bool)
    keep[[200, 201, 202, 250]] = False
    data = make_flows(times=times[keep])
    report = make_report(flows=data)
    row, col = report.tested.busiest
    axes = plots.busy_week(report).axes
    for channel, axis in enumerate(axes):
        sources = (data.truth, data.prediction, data.naive["historical_average"])
        for line, source in zip(axis.get_lines(), sources):
            seen = line.get_ydata()
            minutes = np.asarray(line.get_xdata()).astype("datetime64[m]").astype(int)
            assert np.diff(minutes).min() > 0 and np.isnan(seen).sum() == 2
            assert set(minutes[np.isnan(seen)]) == {times[200], times[250]}
            shown = np.isin(data.times, minutes[~np.isnan(seen)])
            assert shown.sum() == 7 * 24 - 4 and shown[-1]
            np.testing.assert_array_equal(
                seen[~np.isnan(seen)], source[shown, 0, row, col, channel]
            )


def test_the_weeks_days_are_named_at_their_noon_and_weekends_shaded(make_report):
    data = make_report()
    axis = plots.busy_week(data).axes[-1]
    axis.figure.draw_without_rendering()
    labels = [text.get_text() for text in axis.xaxis.get_minorticklabels()]
    assert labels[0] == "Wed 24 Sep" and labels[-1] == "Tue 30 Sep" and len(labels) == 7
    (band_start, band_end) = (
        min(p.get_x() for p in axis.patches),
        max(p.get_x() + p.get_width() for p in axis.patches),
    )
    assert dates.num2date(band_start).day == 27 and dates.num2date(band_end).day == 29


def test_error_by_hour_draws_every_forecast_with_holes_where_an_hour_is_missing(make_report):
    data = make_report(days=7)
    del data.by_hour["model"][3]
    left, right = plots.error_by_hour(data).axes
    lines = {line.get_label(): line.get_ydata() for line in left.get_lines()}
    assert set(lines) == {
        "Model", "Best pushed model", "Last four weeks and seven days", "Last four weeks",
        "Historical average", "Same time last week", "Last interval",
    }  # fmt: skip
    expected = [data.by_hour["model"].get(hour, np.nan) for hour in range(24)]
    np.testing.assert_array_equal(lines["Model"], expected)
    heights = [bar.get_height() for bar in right.patches]
    assert heights[:2] == [data.by_day["model"]["weekday"], data.by_day["model"]["weekend"]]


def test_hours_read_from_json_as_texts_are_the_same_hours(make_report):
    data = make_report(days=2, pushed=False)
    texts = {s: {str(h): v for h, v in hours.items()} for s, hours in data.by_hour.items()}
    one, other = (
        plots.error_by_hour(d).axes[0].get_lines() for d in (data, replace(data, by_hour=texts))
    )
    assert len(one) == 1 + len(NAIVE_FORECASTS)
    np.testing.assert_array_equal(one[0].get_ydata(), other[0].get_ydata())


def test_error_by_step_equals_a_plain_sum(make_flows, make_report):
    data = make_flows(days=2, horizon=3)
    (axis,) = plots.error_by_step(make_report(flows=data)).axes
    line = {line.get_label(): line for line in axis.get_lines()}["Last interval"]
    for step in range(3):
        error = (data.naive["last_interval"][:, step] - data.truth[:, step]).astype(float)
        mean = (error**2).sum() / (error.shape[0] * data.active.sum() * 2)
        assert line.get_ydata()[step] == pytest.approx(np.sqrt(mean))


def test_cell_maps_are_rmse_bias_and_saving_by_cell(make_flows, make_report):
    data = make_flows(days=2)
    figure = plots.cell_maps(make_report(flows=data))
    rmse, bias, saved = (image.get_array() for image in maps_of(figure))
    y, x = np.argwhere(data.active)[5]
    error = data.prediction[:, 0, y, x].astype(float) - data.truth[:, 0, y, x]
    naive = data.naive["historical_average"][:, 0, y, x].astype(float) - data.truth[:, 0, y, x]
    assert rmse[y, x] == pytest.approx(np.sqrt((error**2).mean()))
    assert bias[y, x] == pytest.approx(error.mean(), rel=1e-5)
    assert saved[y, x] == pytest.approx(np.sqrt((naive**2).mean()) - np.sqrt((error**2).mean()))


def test_the_scatter_counts_every_active_value_once(make_report):
    data = make_report(days=3)
    figure = plots.predicted_against_true(data)
    for axis in figure.axes[:2]:
        expected = data.tested.active.sum() * len(data.tested.times)
        assert axis.collections[0].get_array().sum() == expected


def test_training_curves_mark_the_phases_and_the_best_epoch_of_phase_one(make_report):
    data = make_report(days=1)
    data.history[70]["eval_rmse"] = 0.01  # phase 2 trains on the eval split: not a candidate
    loss, rmse = plots.training_curves(data).axes
    assert loss.get_yscale() == "log"
    np.testing.assert_array_equal(
        loss.get_lines()[0].get_ydata(), [e["loss"] for e in data.history]
    )
    assert {text.get_text() for text in loss.texts} == {"phase 1", "phase 2"}
    (band,) = loss.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (60.5, 90.5)
    by_value = sorted(data.history[:60], key=lambda epoch: epoch["eval_rmse"])
    best = rmse.get_lines()[1]
    assert best.get_xdata()[0] == by_value[0]["epoch"]
    assert best.get_ydata()[0] == by_value[0]["eval_rmse"]


def test_each_member_has_a_curve_of_its_own(make_report):
    data = make_report(days=1)
    second = [{**epoch, "member": 2, "loss": 2 * epoch["loss"]} for epoch in data.history[:70]]
    history = [{**epoch, "member": 1} for epoch in data.history] + second
    loss, rmse = plots.training_curves(make_report(days=1, history=history)).axes
    assert [len(line.get_xdata()) for line in loss.get_lines()] == [90, 70]
    np.testing.assert_array_equal(loss.get_lines()[1].get_ydata(), [e["loss"] for e in second])
    assert len(rmse.get_lines()) == 4 and len(rmse.texts) == 2 + 2  # a best epoch each, two phases


def test_training_without_an_eval_part_has_the_loss_alone(make_report):
    history = [
        {
            "phase": 2,
            "epoch": 1,
            "loss": 0.0,
            "eval_rmse": None,
            "seconds": 1.0,
            "learning_rate": 1e-3,
        }
    ]
    figure = plots.training_curves(make_report(days=1, history=history))
    assert len(figure.axes) == 1 and figure.axes[0].get_yscale() == "linear"


def test_drawing_leaves_matplotlibs_settings_alone(make_report):
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.figures(make_report(days=1))
    assert dict(matplotlib.rcParams) == before
