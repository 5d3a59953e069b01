"""The live record's lines against `score`, gaps, and what counts as worse than promised."""

import numpy as np
import pytest
from worlds.live_city import DAY, NO_HOLIDAYS, line_of, of_day, without

from crowdflow.evaluation import live
from crowdflow.evaluation.score import NO_RECORD, Forecasts, score
from crowdflow.flows.frames import FrameBlock

PROMISE = {
    "rmse_active_cells": 1.0,
    "mae_active_cells": 0.8,
    "best_naive": "four_weeks",
    "best_naive_rmse": 2.0,
}


def test_a_line_has_the_figures_of_score(city):
    made = of_day(city, 30)
    line, found = line_of(city, 30, made), score(made, city, 60, NO_HOLIDAYS)
    assert (line["day"], line["windows"], line["due"]) == ("1970-01-31", 24, 48)
    assert (line["scored"], line["left_out"], line["gap"]) == (48, {}, None)
    assert line["metrics"] == found["metrics"] and line["active_cells"] == 8
    naive = {n: e["rmse_active_cells"] for n, e in line["metrics"].items() if n != "model"}
    assert line["best_naive"] == min(naive, key=naive.get)


def test_steps_past_the_end_of_the_data_are_not_due(city):
    line = line_of(city, 34, of_day(city, 34))
    assert (line["due"], line["scored"], line["left_out"], line["gap"]) == (47, 47, {}, None)


def test_what_was_not_recorded_is_counted_and_a_day_with_too_much_of_it_has_no_figures(city):
    for hours, gap in ((4, None), (6, live.FEW_STEPS), (24, live.FEW_STEPS)):
        gone = (city.starts >= 30 * DAY) & (city.starts < 30 * DAY + hours * 60)
        line = line_of(without(city, gone), 30, of_day(city, 30))
        assert line["gap"] == gap
        assert line["left_out"] == {
            NO_RECORD: 2 * hours - 1
        }  # of the last hour the first step alone
        assert line["scored"] == 48 - (2 * hours - 1)
        assert (line["metrics"] is None) == (gap is not None)


def test_a_day_without_any_record_is_a_gap(city):
    gone = city.starts // DAY == 30
    lost = [(30 * DAY + 60 * hour, "closeness-1") for hour in range(1, 24)]
    line = line_of(without(city, gone), 30, of_day(city, 30, [0]), lost)
    assert (line["windows"], line["scored"], line["gap"]) == (1, 0, live.FEW_STEPS)
    assert line["left_out"] == {"closeness-1": 46, NO_RECORD: 2}
    assert line["metrics"] is None and line["due"] == 48


def test_a_trickle_of_records_is_a_gap_and_no_good_score(city):
    """A feed of zeros would make the last interval a perfect forecast."""
    maps = city.maps.copy()
    maps[city.starts // DAY == 30] *= 0.05
    line = line_of(FrameBlock(city.starts, maps), 30, of_day(city, 30))
    assert (line["gap"], line["metrics"], line["scored"]) == (live.FEW_RECORDS, None, 48)
    maps[city.starts // DAY == 30] *= 3
    assert line_of(FrameBlock(city.starts, maps), 30, of_day(city, 30))["gap"] is None


def test_a_line_stays_until_a_fuller_one_comes(city):
    gone = city.starts // DAY == 30
    gap = line_of(without(city, gone), 30, of_day(city, 30, [0]))
    whole = line_of(city, 30, of_day(city, 30))
    later = whole | {"active_cells": 9}
    other = line_of(city, 30, of_day(city, 30), version="12")
    days = live.add([], [gap])
    assert live.add(days, [gap]) == days == [gap]
    days = live.add(days, [whole, other])
    assert days == [whole, other]  # the versions are numbers
    assert live.add(days, [later, gap]) == days
    before = line_of(city, 29, of_day(city, 29))
    assert live.add(days, [before]) == [before, whole, other]
    assert live.newest(live.add(days, [before])) == [before, other]


def test_days_are_pooled_as_if_they_were_scored_together(city):
    parts = [of_day(city, day) for day in (30, 31, 32)]
    lines = [line_of(city, day, made) for day, made in zip((30, 31, 32), parts)]
    together = Forecasts(
        *(np.concatenate(part) for part in zip(*((p.origins, p.flows) for p in parts)))
    )
    expected = score(together, city, 60, NO_HOLIDAYS)["metrics"]
    for source, errors in live.pooled(lines).items():
        assert errors == pytest.approx(expected[source])


def with_errors(day, model, naive, promise=PROMISE, gap=None, version="7"):
    errors = {"rmse_active_cells": naive, "mae_active_cells": naive, "bias_active_cells": 0.0}
    sources = ("last_interval", "last_week", "historical_average", "four_weeks", "weeks_and_days")
    metrics = dict.fromkeys(sources, errors) | {"model": errors | {"rmse_active_cells": model}}
    return {
        "day": f"2024-05-{day:02d}", "version": version, "windows": 24, "due": 24, "scored": 24, "left_out": {},
        "gap": gap, "active_cells": 8, "metrics": None if gap else metrics, "best_naive": "last_interval",
        "promise": promise,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "naive", "allowed", "worse"),
    [
        (1.24, 2.0, 1.25, False),
        (1.26, 2.0, 1.25, True),
        (1.8, 3.0, 1.875, False),  # harder days, for the naive forecasts as well
        (1.9, 3.0, 1.875, True),
        (1.26, 1.0, 1.25, True),  # easier ones ask for no more than the promise
    ],
)
def test_worse_than_promised(model, naive, allowed, worse):
    found = live.verdict([with_errors(1, model, naive)], "7", 0.25)
    assert found["allowed"] == pytest.approx(allowed)
    assert found["worse"] == worse


def test_the_last_seven_days_with_figures_of_the_version_count():
    days = [with_errors(day, 9.0, 2.0) for day in range(1, 4)]
    days += [with_errors(day, 1.0, 2.0) for day in range(4, 12)]
    days += [with_errors(12, 0, 0, gap=live.FEW_STEPS), with_errors(13, 9.0, 2.0, version="8")]
    found = live.verdict(days, "7", 0.25)
    assert (found["first"], found["last"], found["days"]) == ("2024-05-05", "2024-05-11", 7)
    assert found["scored"] == 168 and not found["worse"]
    assert live.verdict(days[11:12], "7", 0.25) is None
    no_promise = live.verdict([with_errors(1, 9.0, 2.0, promise=None)], "7", 0.25)
    assert no_promise["allowed"] is None and not no_promise["worse"]


def test_words():
    def words(lines, **more):
        base = {"version": "7", "skipped": None, "days": lines, "candidate": None}
        return live.in_words(base | {"verdict": live.verdict(lines, "7", 0.25)} | more)

    good, bad = with_errors(1, 1.2, 2.0), with_errors(2, 2.0, 2.0)
    assert words([good]) == (
        "live: version 7, RMSE 1.200 on 2024-05-01, 1.000 promised, up to 1.250 allowed; "
        "best naive forecast 2.000 (last_interval)"
    )
    assert (
        "version 7 DOES WORSE THAN ITS TEST PROMISED, RMSE 1.649 on 2024-05-01 to 2024-05-02"
        in words([good, bad])
    )
    gap = with_errors(3, 0, 0, gap=live.FEW_STEPS)
    assert words([gap]) == "live: no day of version 7 has figures yet; no figures for 2024-05-03"
    assert (
        words([], skipped="its grid is another")
        == "live: version 7 is not scored, its grid is another"
    )
    compared = {"first": "a", "last": "b", "rmse": 2.0, "served_rmse": 1.0, "newer_days": 5}
    assert live.candidate_in_words({"version": "7", "candidate": compared}) == (
        "On a to b, which neither has seen, the new model's RMSE is 2.000 and that of version 7, which has "
        "learnt 5 newer days, 1.000"
    )
