"""The page as a text: its numbers, its size, its safety and the libraries that it brings along."""

import hashlib
import re
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from worlds.pages import city, read_page

from crowdflow.maps.packing import MOST_BYTES
from crowdflow.maps.page import render_page

BOX = (40.70, -74.03, 40.82, -73.90)


class Tags(HTMLParser):
    """The addresses and the text of a page's elements."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.open, self.texts = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def test_the_page_has_the_numbers():
    made = city(4, 3, BOX, steps=5)
    data = read_page(render_page(made))
    assert data["times"] == made.times.tolist() and data["steps"] == [1, 2, 3, 4, 5]
    assert data["box"] == list(BOX) and (data["rows"], data["cols"]) == (4, 3)
    for name, flows in (("forecast", made.forecast), ("usual", made.usual)):
        np.testing.assert_allclose(data[name], flows, rtol=2**-14)
    np.testing.assert_array_equal(data["records"], made.records.maps)  # counts are exact
    assert data["recordTimes"] == made.records.starts.tolist()


def test_the_page_has_the_band_where_there_is_one():
    plain, banded = (render_page(city(4, 3, percent=percent)) for percent in (None, 90))
    made, data = city(4, 3, percent=90), read_page(banded)
    assert data["percent"] == 90
    for name, flows in (("low", made.low), ("high", made.high)):
        np.testing.assert_allclose(data[name], flows, rtol=2**-14)
    said = ["Width of the 90% band", "90% band", "90% of flows are expected in the band."]
    assert all(f">{words}" in banded for words in said)
    assert not {"percent", "low", "high"} & set(read_page(plain))
    body = re.sub("(?s)<(script|style)>.*?</\\1>", "", plain)
    assert "band" not in body and "90%" not in body


def test_texts_are_escaped():
    evil = "</title></script><script>alert(1)</script>"
    text = render_page(city(2, 2, title=evil))
    assert "<script>alert" not in text
    assert evil in Tags(text).texts["title"] and evil in Tags(text).texts["h1"]


def test_the_page_asks_for_nothing():
    text = render_page(city(2, 2, BOX))
    assert Tags(text).addresses == ["data:,"]
    assert "default-src 'none'" in text and "sourceMappingURL" not in text and "@import" not in text


@pytest.mark.parametrize(
    ("minutes", "box", "said"),
    [
        (30, BOX, r"5 × 4 cells of about 2.7 km × 2.7 km; trips per 30 minutes"),
        (60, None, r"5 × 4 cells; trips per hour"),
        (1440, None, r"5 × 4 cells; trips per day"),
    ],
)
def test_the_summary(minutes, box, said):
    assert said in render_page(city(5, 4, box, minutes=minutes, steps=1))


def test_a_large_city_fits_and_leaves_nothing_out():
    text = render_page(city(32, 32, BOX, minutes=30, steps=48, after=48))
    assert len(text.encode()) < 5_000_000
    assert 'class="note">The' not in text
    data = read_page(text)
    assert len(data["times"]) == 48 and len(data["recordTimes"]) == 8 * 48


def test_what_does_not_fit_is_left_out_and_said():
    made = city(12, 12, BOX, steps=24, after=3)
    whole, shorter, shortest = (render_page(made, most) for most in (MOST_BYTES, 25_000, 8_000))
    assert "left out" not in whole
    assert "records of the week before are left out" in shorter
    assert not re.search(r"the last \d+ are left out", shorter)
    cut = read_page(shorter)
    assert len(cut["times"]) == 24 and cut["recordTimes"] == [
        time for time in made.records.starts if time in made.times or time + 7 * 1440 in made.times
    ]
    np.testing.assert_allclose(cut["forecast"], made.forecast, rtol=2**-8)
    [left_out] = re.findall(r"the last (\d+) are left out", shortest)
    assert len(read_page(shortest)["times"]) == 24 - int(left_out) in (3, 6, 12)
    assert len(read_page(render_page(made, 1))["times"]) == 1


def test_the_bands_are_left_out_first_and_said():
    made, plain = (city(12, 12, BOX, steps=24, after=3, percent=percent) for percent in (80, None))
    most = [
        next(
            most for most in range(10_000, 99_000, 1_000) if "left out" not in render_page(of, most)
        )
        for of in (made, plain)
    ]
    assert most[0] > most[1]
    whole, without = (read_page(render_page(made, most)) for most in most)
    assert {"low", "high", "percent"} <= set(whole) and len(whole["recordTimes"]) > 168
    assert set(whole) - set(without) == {"low", "high", "percent"}
    assert without["recordTimes"] == whole["recordTimes"] and without["times"] == whole["times"]
    text = render_page(made, most[1])
    assert "the bands around the forecasts: they are left out" in text
    assert "records of the week before are left out" not in text and "80% band" not in text
    assert len(read_page(render_page(made, 1))["times"]) == 1


def test_libraries_are_those_that_were_published():
    folder = resources.files("crowdflow.maps").joinpath("vendor")
    listed = dict(
        line.split()[::-1] for line in folder.joinpath("SHA256SUMS").read_text().splitlines()
    )
    names = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert names == set(listed) and {"leaflet.js", "LICENSE.leaflet", "LICENSE.uPlot"} <= names
    for name, expected in listed.items():
        assert hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() == expected
    text = render_page(city(2, 2))
    assert "BSD 2-Clause License" in text and "The MIT License (MIT)" in text
