"""The report's section on quantiles: what it counts, and what it says to people who know no statistics."""

import numpy as np
import pytest
from scipy import stats

from crowdflow.components.flow_report.page import render_page
from crowdflow.components.flow_report.period import summarise
from crowdflow.components.flow_report.quantile_section import held, quantile_section
from crowdflow.flows.quantiles import QuantileSums

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def judged(make_flows, factor):
    """A report whose bands are `factor` times as wide as a Poisson count's around the forecast."""
    flows = make_flows(days=10)

    def quantiles(forecast):
        middle = np.maximum(forecast, 0.05)[..., None]
        exact = stats.poisson.ppf(LEVELS, middle)
        return np.maximum(middle + factor * (exact - middle), 0)

    def read(times=None):
        for batch in flows.read(times):
            yield batch._replace(quantiles=quantiles(batch.forecasts["model"]))

    tested = summarise(read, flows.active, LEVELS)
    whole = QuantileSums.zero(LEVELS)
    given = quantiles(flows.prediction)
    whole.add(flows.truth[:, :, flows.active], given[:, :, flows.active])
    sources = {"model": whole.metrics(), "poisson": whole.metrics()}
    found = held({"levels": list(LEVELS), "sources": sources}, tested, whole)
    return flows, given, tested, found


def test_parts_of_the_day_and_sizes_of_cells_are_counted_apart(make_flows):
    flows, given, tested, found = judged(make_flows, 1.0)
    assert list(found["sources"]) == ["model", "hour_of_week", "poisson"]
    for part, line in enumerate(found["by_part"]):
        chosen = flows.times % 1440 // 360 == part
        sums = QuantileSums.zero(LEVELS)
        sums.add(flows.truth[chosen][:, 0, flows.active], given[chosen][:, 0, flows.active])
        assert line == pytest.approx(
            {"label": f"{6 * part:02d}:00 to {6 * part + 6:02d}:00", **sums.metrics()}
        )
    order = np.argsort(flows.truth.sum(axis=(0, 1, 4))[flows.active], kind="stable")
    cells = np.argwhere(flows.active)[order]
    sizes = [len(cells) * third // 3 + bool(len(cells) * third % 3) for third in range(4)]
    for third, line in enumerate(found["by_size"]):
        row, col = cells[sizes[third] : sizes[third + 1]].T
        sums = QuantileSums.zero(LEVELS)
        sums.add(flows.truth[:, 0, row, col], given[:, 0, row, col])
        assert line == pytest.approx({"label": line["label"], **sums.metrics()})
    whole = QuantileSums.zero(LEVELS)
    whole.add(flows.truth[:, 0, flows.active], given[:, 0, flows.active])
    assert found["calibration"] == pytest.approx(whole.calibration())


@pytest.mark.parametrize(
    ("factor", "tone", "words"),
    [
        (0.5, "bad", "too narrow"),
        (4.0, "bad", "too wide"),
    ],
)
def test_the_verdict_says_whether_to_trust_the_bands(make_report, make_flows, factor, tone, words):
    flows, _, tested, found = judged(make_flows, factor)
    data = make_report(flows=flows, tested=tested, quantiles=found)
    section = quantile_section(data)
    assert section["tone"] == tone and words in section["verdict"]
    share = round(100 * found["sources"]["model"]["coverage_80"])
    assert f"80% band held {share}," in section["verdict"]
    page = render_page(data)
    assert section["verdict"].replace("'", "&#39;") in page and 'id="figure-calibration"' in page
    assert "% of flows are expected here" in page and "In the blue band" in page


def test_bands_that_hold_are_trusted(make_report, make_flows):
    flows, _, tested, found = judged(make_flows, 1.0)
    for values in found["sources"].values():
        values |= {"coverage_50": 0.52, "coverage_80": 0.77, "coverage_90": 0.89}
    section = quantile_section(make_report(flows=flows, tested=tested, quantiles=found))
    assert section["tone"] == "good" and "can be trusted" in section["verdict"]
    assert [row["coverage"] for row in section["sources"]] == [["52.0%", "77.0%", "89.0%"]] * 3


def test_without_quantiles_there_is_no_section(make_report):
    data = make_report()
    assert quantile_section(data) is None and held(None, data.tested, None) is None
    assert "How sure the forecasts are" not in render_page(data)
