"""The months that the starts of trips cover."""

import numpy as np

from crowdflow.ingest.trips.day_counts import Coverage


def coverage(*days):
    return Coverage.of(np.array(days, "datetime64[m]").astype(np.int64))


def test_a_stray_start_does_not_make_a_month_of_zeros():
    days = [f"2024-03-{day:02d}" for day in range(1, 32)]
    found = coverage("2024-01-20", *days, "2024-05-20")
    assert found.missing_months() == ["2024-01", "2024-02", "2024-04", "2024-05"]
    # A stray day keeps its frames, so that its start stays binned.
    assert found.covered_days().astype("datetime64[D]").astype(str).tolist() == [
        "2024-01-20", *days, "2024-05-20"]  # fmt: skip
    assert not len(found.empty_days())
    every = np.arange(found.first, found.last + 1, 1440)
    assert found.holds(every, "zero").sum() == 33


def test_a_month_closed_for_most_days_and_partial_ones_stay_covered():
    found = coverage(
        "2024-01-30", "2024-01-31", *[f"2024-02-{d:02d}" for d in range(9, 17)], "2024-03-02"
    )
    assert found.missing_months() == []
    assert len(found.covered_days()) == 2 + 29 + 2
    assert len(found.empty_days()) == 21 + 1
