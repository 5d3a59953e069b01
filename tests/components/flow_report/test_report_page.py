import html
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from worlds.pages import read_page

from crowdflow.components.flow_report import page
from crowdflow.components.flow_report.page import render_page
from crowdflow.components.flow_report.period import summarise
from crowdflow.components.flow_report.week_map import week_map

MONDAY = 16_335 * 1440
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page into its tables, texts, ids and addresses, and checks that elements nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.rows, self.texts = [], [], [], [], []
        self.pictures, self.tags = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        self.addresses += [attrs[name] for name in ("src", "href", "xlink:href") if name in attrs]
        if attrs.get("role") == "img":
            self.pictures.append(attrs["aria-label"])
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += text

    def row(self, name):
        return next(row for row in self.rows if row[0] == name)


@pytest.fixture(scope="module")
def rendered():
    cache = {}

    def render(key, make):
        if key not in cache:
            cache[key] = render_page(make())
        return cache[key]

    return render


def test_the_page_holds_the_numbers(make_report, rendered):
    data = make_report()
    page = Page(rendered("plain", make_report))
    for name, label in (("model", "Model"), ("last_week", "Same time last week")):
        assert page.row(label)[1:6] == [f"{value:.2f}" for value in data.metrics[name].values()]
    model, naive = (data.metrics[n]["rmse_active_cells"] for n in ("model", "historical_average"))
    change = page.row("Historical average")[6]
    assert float(change.rstrip("%").replace("−", "-")) == pytest.approx(
        (model / naive - 1) * 100, abs=0.05
    )
    assert page.row("train")[1] == "3,132" and page.row("test")[1] == "240"
    assert page.row("negative flow")[1] == "3" and page.row("missing")[1] == "24"
    assert page.row("period")[1] == "96" and page.row("target")[1] == "0"
    assert page.row("phase 1")[1] == "60 epochs in 4 min 12 s"
    text = "".join(page.texts)
    assert "Blessed and pushed" in text and "serving/1714557600" in text
    assert "2014-09-21 00:00 to 2014-09-30 23:00" in text


def test_the_page_stands_alone(make_report, rendered):
    text = rendered("plain", make_report)
    page = Page(text)
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert not {"script", "link", "img"} & set(page.tags) and page.tags.count("iframe") == 1
    assert "@import" not in text and "url(http" not in text and "<!DOCTYPE svg" not in text
    assert len(text.encode()) < 3_000_000


def test_the_map_has_the_last_test_week(make_report, make_flows):
    flows = make_flows(days=10, horizon=2)
    text = render_page(make_report(flows=flows))
    [page] = re.findall(r'<iframe [^>]*srcdoc="([^"]*)"', text)
    shown, week = read_page(html.unescape(page)), flows.times[-168:]
    assert shown["times"] == week.tolist() and (shown["rows"], shown["cols"]) == (16, 8)
    assert shown["recordTimes"] == [*(week - 7 * 1440).tolist(), *week.tolist()]
    for name, expected in (
        ("forecast", flows.prediction[-168:, 0]),
        ("usual", flows.naive["historical_average"][-168:, 0]),
        ("records", np.concatenate([flows.naive["last_week"][-168:, 0], flows.truth[-168:, 0]])),
    ):
        np.testing.assert_allclose(shown[name], expected, rtol=2**-8)


def test_the_map_has_the_band_of_the_last_test_week(make_report, make_flows):
    flows, levels = make_flows(days=10, horizon=2), (0.05, 0.1, 0.9, 0.95)

    def read(times=None):
        for batch in flows.read(times):
            yield batch._replace(quantiles=batch.forecasts["model"][..., None] * np.float32(levels))

    tested = summarise(read, flows.active, levels)
    data = make_report(flows=flows, tested=tested, quantiles={"levels": list(levels)})
    shown = read_page(week_map(data))
    assert shown["percent"] == 80
    for name, level in (("low", 0.1), ("high", 0.9)):
        np.testing.assert_allclose(shown[name], flows.prediction[-168:, 0] * level, rtol=2**-8)


def test_every_picture_has_a_text_and_its_own_ids(make_report, rendered):
    page = Page(rendered("plain", make_report))
    assert len(page.pictures) == 7 and len(set(page.pictures)) == 7
    assert all(len(picture) > 40 for picture in page.pictures)
    ids = set(page.ids)
    assert len(ids) == len(page.ids)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= ids


def test_pictures_take_the_readers_theme(make_report, rendered):
    text = rendered("plain", make_report)
    pictures = text[text.index("<svg") : text.rindex("</svg>")]
    assert "var(--ink)" in pictures and "#1b2430" not in pictures
    assert "prefers-color-scheme:dark" in text


def test_nested_counters_get_a_card_each_and_the_windows_stand_once(make_report):
    windows = {"train": 10, "eval": 2, "test": 1}
    counters = {
        "frames": {"files": 1, "ignored_side_files": [], "rejected": {"off_raster": 4_321}},
        "windows": {"windows": dict(windows), "dropped": {"by_lag": {"period_1": 7}}},
    }
    page = Page(
        render_page(
            make_report(
                times=np.array([MONDAY + 480]), history=[], windows=windows, counters=counters
            )
        )
    )
    titles = [text for text in page.texts if text.startswith(("Frames", "Windows"))]
    assert titles == ["Windows", "Frames", "Frames: rejected", "Windows: dropped: by lag"]
    assert page.row("off raster")[1] == "4,321" and page.row("period 1")[1] == "7"
    assert page.row("ignored side files")[1] == "none"
    assert [row for row in page.rows if row[0] == "train"] == [["train", "10"]]


def test_every_text_is_escaped(make_report):
    places = []

    def evil(place):
        places.append(place)
        return f'<script>alert("{place}")</script>'

    text = render_page(
        make_report(
            times=np.array([MONDAY + 480]),
            history=[],
            title=evil("title"),
            device=evil("device"),
            reasons=[evil("reason")],
            pushed_model=evil("pushed"),
            config={evil("option"): evil("setting")},
            versions={evil("package"): evil("version")},
            windows={evil("split"): 1},
            counters={evil("group"): {evil("counter"): 1, "files": [evil("file")]}},
            drift={
                "not_compared": None,
                "version": evil("pushed version"),
                "newest": evil("newest"),
                "training": evil("training"),
                "anomalies": [evil("anomaly")],
                "measurements": [
                    {
                        "feature": f"{evil('channel')}_by_cell",
                        "divergence": 0.2,
                        "threshold": 0.1,
                        "drifted": True,
                    }
                ],
            },
        )
    )
    assert "<script" not in text.lower()
    shown = "".join(Page(text).texts).lower()
    for place in places:
        assert f'alert("{place}")' in shown, place


def test_a_captions_text_is_escaped_in_the_picture_too(make_report, monkeypatch):
    hostile = ('"><script>', "<b>&")
    monkeypatch.setattr(page, "caption", lambda data, name: hostile)
    parsed = Page(render_page(make_report(times=np.array([MONDAY + 480]), history=[])))
    assert "script" not in parsed.tags
    assert set(parsed.pictures) == {". ".join(hostile)}


def test_drift_is_shown_with_its_anomalies(make_report):
    measured = {"feature": "inflow_by_cell", "divergence": 0.25, "threshold": 0.1}
    drift = {
        "not_compared": None,
        "version": "17",
        "newest": "the newest week",
        "training": "the training data",
        "anomalies": ["inflow, by cell: above 0.1"],
        "measurements": [
            {**measured, "drifted": True},
            {**measured, "feature": "outflow_by_cell", "divergence": 0.05, "drifted": False},
        ],
    }
    one = {"times": np.array([MONDAY + 480]), "history": []}
    text = render_page(make_report(**one, drift=drift))
    parsed = Page(text)
    assert '<section class="verdict bad" id="drift">' in text
    assert "inflow, by cell: above 0.1" in parsed.texts
    assert parsed.row("inflow, by cell") == ["inflow, by cell", "0.250", "0.1"]
    assert '<td class="bad">0.250</td>' in text and '<td class="good">0.050</td>' in text

    empty = {"anomalies": [], "measurements": [], "not_compared": "no pushed model"}
    text = render_page(make_report(**one, drift=drift | empty))
    assert '<p id="drift">drift: not compared, no pushed model</p>' in text
    assert "Divergence" not in text
    assert 'id="drift"' not in render_page(make_report(**one))


def test_a_refusal_says_why_and_no_pushed_model_has_no_row(make_report):
    page = Page(
        render_page(
            make_report(
                times=np.array([MONDAY + 480]),
                pushed=False,
                blessed=False,
                pushed_model=None,
                history=[],
                reasons=["rmse_active_cells 9.10 is not below 8.14 (historical average)."],
            )
        )
    )
    text = "".join(page.texts)
    assert (
        "Not blessed" in text
        and "9.10 is not below 8.14" in text
        and "pushed to" not in text.lower()
    )
    assert not any(row[0] == "Last pushed model" for row in page.rows)
    assert page.row("epochs")[1] == "no training history was recorded"
    assert "Tested on 1 window," in text


def test_a_large_grid_with_a_horizon_stays_below_three_megabytes(make_report):
    text = render_page(make_report(days=14, minutes=30, horizon=2, grid=(32, 32)))
    assert len(Page(text).pictures) == 8
    assert len(text.encode()) < 3_000_000


def test_drawing_needs_neither_tensorflow_nor_pyplot():
    code = (
        "import sys, crowdflow.components.flow_report.page\n"
        "bad = {'tensorflow', 'tfx', 'apache_beam', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
