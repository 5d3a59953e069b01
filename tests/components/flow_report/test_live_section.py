"""The report's section on the live record."""

import re

import numpy as np

from crowdflow.components.flow_report.live_section import live_curve
from crowdflow.components.flow_report.page import render_page
from crowdflow.schema.features import NAIVE_FORECASTS

MONDAY = 16_335 * 1440


def live_line(day, rmse, version="17", promise=2.0, gap=None, **left_out):
    errors = {"rmse_active_cells": 4.0, "mae_active_cells": 3.0, "bias_active_cells": 0.25}
    metrics = {name: errors for name in NAIVE_FORECASTS}
    metrics |= {"model": errors | {"rmse_active_cells": rmse}}
    return {
        "day": day, "version": version, "windows": 24, "due": 24, "scored": 24 - sum(left_out.values()),
        "left_out": left_out, "gap": gap, "active_cells": 8, "metrics": None if gap else metrics,
        "best_naive": None if gap else "last_week", "promise": promise and {"rmse_active_cells": promise},
    }  # fmt: skip


def test_the_live_record_is_a_curve_with_gaps(make_report):
    days = [
        live_line("2024-05-06", 1.9),
        live_line("2024-05-07", 0, "18", gap="too few steps can be scored", trend=24),
        live_line("2024-05-08", 4.5, "18", promise=None),
    ]
    verdict = {
        "first": "2024-05-08", "last": "2024-05-08", "days": 1, "metrics": days[2]["metrics"],
        "best_naive": "last_week", "promise": {"rmse_active_cells": 2.0}, "allowed": 2.5, "worse": True,
    }  # fmt: skip
    live = {"version": "18", "skipped": None, "days": days[2:], "candidate": None, "record": days}
    one = {"times": np.array([MONDAY + 480]), "history": []}
    text = render_page(make_report(**one, live=live | {"verdict": verdict}))
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in text.split("<tr")]
    table = {row[0]: row for row in rows if row}
    assert '<section class="verdict bad" id="live">' in text
    assert text.count('id="figure-live"') == 1
    assert "version 18 DOES WORSE THAN ITS TEST PROMISED" in text
    assert table["2024-05-06"] == [
        "2024-05-06",
        "17",
        "24",
        "1.90",
        "2.00",
        "4.00",
        "+0.25",
        "",
    ]
    assert table["2024-05-07"][2:] == [
        "0",
        *["–"] * 4,
        "too few steps can be scored: 24 trend",
    ]
    assert table["2024-05-08"][3:5] == ["4.50", "–"]
    assert '<td class="good">1.90</td>' in text and '<td class="bad">4.50</td>' in text
    empty = live | {"record": [], "days": [], "verdict": None, "version": None}
    text = render_page(make_report(**one, live=empty | {"skipped": "no pushed model to score"}))
    assert '<p id="live">no pushed model to score</p>' in text and "figure-live" not in text


def test_the_curve_breaks_at_days_without_figures():
    days = [
        live_line("2024-05-06", 1.0),
        live_line("2024-05-07", 0, gap="too few steps can be scored"),
        live_line("2024-05-09", 2.0, "18"),  # no run scored the 8th
    ]
    [axis] = live_curve(days, "trips / h").axes
    line = {line.get_label(): line.get_ydata() for line in axis.get_lines()}
    np.testing.assert_array_equal(line["Pushed model"], [1, np.nan, np.nan, 2])
    np.testing.assert_array_equal(line["Best naive forecast of the day"], [4, np.nan, np.nan, 4])
    np.testing.assert_array_equal(line["Promised by its test"], [2, np.nan, np.nan, 2])
    assert len(axis.patches) == 2  # the shaded days
