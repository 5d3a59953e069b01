"""The page in a browser, from its file alone: what it shows follows slider, pointer and keyboard."""

import re

import numpy as np
import pytest
from worlds import browser
from worlds.pages import city, expected_rows

from crowdflow.maps.page import render_page

pytestmark = pytest.mark.skipif(not browser.CHROMIUM, reason="no chromium on this machine")

BOX = (40.70, -74.03, 40.76, -73.97)
WIDE, PHONE = (1280, 800), (390, 844)


@pytest.fixture(scope="module")
def chromium():
    with browser.running() as running:
        yield running


@pytest.fixture
def shown(chromium, tmp_path):
    """A function: content and size -> the open page. At the end it must have had no trouble and no request."""
    pages = []

    def show(made, size=WIDE, dark=False):
        path = tmp_path / f"{len(pages)}.html"
        path.write_text(render_page(made), encoding="utf-8")
        pages.append(chromium.page(*size, dark))
        pages[-1].open(path)
        return pages[-1]

    yield show
    for page in pages:
        assert page.troubles == [] and page.requests == []


def rows(page, selector="#numbers tbody"):
    """The rows of a table, as texts."""
    lines = page.run(
        f"[...document.querySelectorAll('{selector} tr')].map(r => [...r.cells].map(c => c.innerText))"
    )
    return lines


def place(page, row, col, grid):
    """Where the middle of a cell is, in CSS pixels."""
    page.run("document.querySelector('#map').scrollIntoView({block: 'center'})")
    x, y, width, height = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('.cells').getBoundingClientRect())"
    )
    return x + (col + 0.5) * width / grid.cols, y + (row + 0.5) * height / grid.rows


def slide(page, k):
    page.run(f"time.value = {k}")
    page.run("time.dispatchEvent(new Event('input', {bubbles: true}))")


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("box", [BOX, None])
def test_slider_hover_and_click(shown, size, box):
    made = city(6, 4, box, steps=6, after=2)
    page = shown(made, size)
    assert rows(page) == expected_rows(made, 0)
    for k in (4, 1):
        slide(page, k)
        assert rows(page) == expected_rows(made, k)
        assert f"0{k}:00" in page.text("#clock")

    page.move(*place(page, 2, 1, made.grid))
    page.wait("document.querySelector('.hover')")
    assert page.text(".hover b") == "Row 2, column 1"
    assert rows(page, ".hover")[1:] == expected_rows(made, 1, (2, 1))

    whole = page.run("document.querySelector('#week canvas').toDataURL()")
    page.click(*place(page, 3, 2, made.grid))
    page.wait("place.innerText === 'Row 3, column 2'")
    assert rows(page) == expected_rows(made, 1, (3, 2))
    page.wait(f"document.querySelector('#week canvas').toDataURL() !== '{whole}'")
    page.run("city.click()")
    assert page.text("#place") == "Whole city" and rows(page) == expected_rows(made, 1)


@pytest.mark.parametrize("size", [WIDE, PHONE])
@pytest.mark.parametrize("percent", [None, 80])
def test_nothing_is_wider_than_the_page(shown, size, percent):
    page = shown(city(6, 4, BOX, scale=2e7, title="a" * 90, percent=percent), size)
    assert page.run("document.documentElement.scrollWidth") <= size[0]


def busiest(made):
    """The row and column of the cell with the most trips."""
    return np.unravel_index(made.forecast.sum(axis=(0, 3)).argmax(), made.forecast.shape[1:3])


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_band_of_a_cell(shown, size):
    made = city(6, 4, BOX, percent=80)
    page = shown(made, size)
    assert rows(page) == expected_rows(made, 0)  # the whole city has none
    cell = busiest(made)
    page.move(*place(page, *cell, made.grid))
    page.wait("document.querySelector('.hover')")
    expected = expected_rows(made, 0, cell)
    assert re.fullmatch(r"[\d,.]+ \([\d,]+ to [\d,]+\)", expected[0][1])
    assert rows(page, ".hover")[1:] == expected
    page.click(*place(page, *cell, made.grid))
    page.wait("place.innerText.startsWith('Row')")
    slide(page, 4)
    assert rows(page) == expected_rows(made, 4, cell)
    page.run("document.querySelector('input[value=\"2\"]').click()")
    assert page.run("document.querySelector('[value=width]').disabled")  # nor has the net


# The numbers of pixels of the week's chart in the colour of the band and in that of the forecast.
DRAWN = """(() => {
  const canvas = document.querySelector("#week canvas");
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  const counts = ["interval", "model"].map((name) => {
    const color = [1, 3, 5].map((at) => parseInt(variable(name).slice(at, at + 2), 16));
    let count = 0;
    for (let i = 0; i < data.length; i += 4) count += color.every((part, k) => data[i + k] === part);
    return count;
  });
  return counts;
})()"""


@pytest.mark.parametrize("steps", [1, 48])
@pytest.mark.parametrize("dark", [False, True])
def test_the_band_is_drawn_behind_the_forecast(shown, steps, dark):
    made = city(6, 4, BOX, steps=steps, percent=80, weeks=1, after=0)
    page = shown(made, dark=dark)
    assert page.run(DRAWN)[0] == 0
    page.click(*place(page, *busiest(made), made.grid))
    page.wait(f"{DRAWN}[0] > 20 && {DRAWN}[1] > 0")
    page.run("document.querySelector('input[value=\"2\"]').click()")
    page.wait(f"{DRAWN}[0] === 0")


def test_the_map_of_widths(shown):
    made = city(6, 4, BOX, scale=40, percent=80)
    page = shown(made)
    page.run("document.querySelector('[value=width]').click()")
    assert page.text("#legend-title").lower() == "inflow: width of the 80% band"
    assert page.run("document.querySelector('[name=quantity][value=\"2\"]').disabled")
    slide(page, 5)
    widths = (made.high - made.low)[5, ..., 0].reshape(-1)
    ranked = sorted((w, -sum(c[:3])) for w, c in zip(widths, colors(page)) if c[3])
    assert [light for _, light in ranked] == sorted(light for _, light in ranked)
    assert len({light for _, light in ranked}) > 5
    assert float(page.run("ticks.lastChild.innerText")) >= (made.high - made.low).max()


def test_keyboard_alone(shown):
    made = city(6, 4, BOX)
    page = shown(made)
    page.run("time.focus()")
    page.press("ArrowRight")
    page.press("ArrowRight")
    assert rows(page) == expected_rows(made, 2)
    assert page.run("time.getAttribute('aria-valuetext')") == "Mon 30 Sep 2019, 02:00"
    page.run("document.querySelector('#map').focus()")
    page.press("ArrowUp")  # the first key marks the middle
    page.press("ArrowUp")
    page.press("ArrowLeft")
    assert page.text("#place") == "Row 2, column 1"
    assert rows(page) == expected_rows(made, 2, (2, 1))
    page.press("Escape")
    assert page.text("#place") == "Whole city"
    page.run("document.querySelector('#quantity input').focus()")
    page.press("ArrowRight")
    assert page.text("#legend-title").lower() == "outflow: forecast"


def test_the_wheel_zooms_once_the_map_was_clicked(shown):
    made = city(6, 4, BOX)
    page = shown(made)
    width = "document.querySelector('.cells').getBoundingClientRect().width"
    before, (x, y) = page.run(width), place(page, 2, 2, made.grid)
    wheel = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -240}
    page.ask("Input.dispatchMouseEvent", **wheel)
    page.run("new Promise(done => setTimeout(done, 400))")
    assert page.run(width) == before
    page.click(x, y)
    page.ask("Input.dispatchMouseEvent", **wheel)
    page.wait(f"{width} > {1.1 * before}")


def test_play_and_pause(shown):
    page = shown(city(2, 2, steps=3))
    page.run("play.click()")
    page.wait("time.value === '2'")
    page.wait("time.value === '0'")
    page.run("play.click()")
    assert page.run("play.getAttribute('aria-label')") == "Play"
    halted = page.run("time.value")
    page.run("new Promise(done => setTimeout(done, 1500))")
    assert page.run("time.value") == halted


def colors(page):
    """The colour of each cell, [rows * cols][4], read from a copy."""
    return page.run(
        "(c => { const o = new OffscreenCanvas(c.width, c.height).getContext('2d'); o.drawImage(c, 0, 0);"
        "const d = o.getImageData(0, 0, c.width, c.height).data;"
        "return Array.from({length: d.length / 4}, (_, i) => [...d.slice(4 * i, 4 * i + 4)]) })"
        "(document.querySelector('.cells'))"
    )


def test_colours_follow_the_flows(shown):
    made = city(6, 4, BOX, scale=40)
    page = shown(made)
    slide(page, 5)
    flows = made.forecast[5, ..., 0].reshape(-1)
    light = [sum(color[:3]) for color in colors(page)]
    visible = [color[3] > 0 for color in colors(page)]
    ever = (made.forecast >= 0.1).any(axis=(0, 3)) | made.records.maps.any(axis=(0, 3))
    assert visible == ever.reshape(-1).tolist() and 0 < sum(visible) < 24
    ranked = sorted((flow, -value) for flow, value, seen in zip(flows, light, visible) if seen)
    assert [value for _, value in ranked] == sorted(value for _, value in ranked)
    page.run("document.querySelector('input[value=\"2\"]').click()")
    net = made.forecast[5, ..., 0] - made.forecast[5, ..., 1]
    for (red, _, blue, seen), value in zip(colors(page), net.reshape(-1)):
        assert not seen or abs(value) < 2 or (blue > red) == (value > 0)


def test_light_and_dark_differ_in_all_that_is_drawn(shown):
    made = city(6, 4, BOX)
    light, dark = shown(made), shown(made, dark=True)
    for script in (
        "getComputedStyle(document.body).backgroundColor",
        "document.querySelector('.cells').toDataURL()",
        "document.querySelector('#week canvas').toDataURL()",
    ):
        assert light.run(script) != dark.run(script)


def test_geography_and_rows_and_columns(shown):
    page = shown(city(6, 4, BOX))
    labels = page.run("[...document.querySelectorAll('.label')].map(l => l.innerText)")
    assert "40.72° N" in labels and any(label.endswith("° W") for label in labels)
    assert "km" in page.text(".leaflet-control-scale")
    page.click(*place(page, 0, 0, city(6, 4, BOX).grid))
    assert page.text("#where") == "Middle: 40.7550° N, 74.0225° W"
    page = shown(city(6, 4))
    labels = page.run("[...document.querySelectorAll('.label')].map(l => l.innerText)")
    assert sorted(labels) == sorted([*"012345", *"0123"])
    assert page.run("document.querySelector('.leaflet-control-scale')") is None


@pytest.mark.parametrize(
    "made",
    [
        city(1, 1, BOX, steps=1),
        city(8, 8, (-16.9, 179.4, -16.4, 180.0)),
        city(8, 8, (86.0, -40.0, 90.0, 20.0)),
        city(4, 4, BOX, scale=0.0),
        city(4, 4, BOX, scale=3e7),
        city(4, 4, None, weeks=0, after=0),
        city(3, 60, BOX, minutes=1440, steps=1),
    ],
    ids=["one cell", "date line", "pole", "zeros", "huge", "no records", "daily"],
)
def test_unusual_cities(made, shown):
    page = shown(made)
    page.click(*place(page, 0, 0, made.grid))
    assert page.text("#place") == "Row 0, column 0"
    flows = made.forecast[0, 0, 0].tolist()
    for text, flow in zip(rows(page)[0][1:], [*flows, flows[0] - flows[1]]):
        read = float(text.replace("−", "-").replace(",", ""))
        assert read == pytest.approx(flow, abs=0.051 + max(flows) / 10_000)


def test_a_name_is_no_script(shown):
    page = shown(city(2, 2, title="</script><script>document.title = 'hacked'</script>"))
    assert "hacked" in page.text("h1") and page.run("document.title").startswith(
        "Crowd flows: </script>"
    )
