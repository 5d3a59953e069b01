"""The page: one self-contained HTML file, rendered from `templates/` and the libraries in `vendor/`."""

from importlib import resources

import jinja2
import numpy as np

from crowdflow.flows.grids import cell_metres
from crowdflow.maps import colors
from crowdflow.maps.content import Content
from crowdflow.maps.packing import MOST_BYTES, packed_within

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("crowdflow.maps"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_SCRIPTS, _STYLES = ("leaflet.js", "uPlot.iife.min.js"), ("leaflet.css", "uPlot.min.css")
_LICENSES = {"Leaflet": "LICENSE.leaflet", "uPlot": "LICENSE.uPlot"}


def render_page(content: Content, most: int = MOST_BYTES) -> str:
    """The whole page as one HTML text that refers to no other file and asks no server for anything.

    Args:
      content: what it shows.
      most: bytes of the flows, see `packed_within`.
    """
    shown, texts = packed_within(content, most)
    return _TEMPLATES.get_template("page.html.j2").render(
        title=shown.title,
        summary=_summary(shown),
        usual_words=shown.usual_words,
        percent=shown.percent,
        bands_left_out=content.percent != shown.percent,
        shortened=len(content.times) - len(shown.times),
        week_left_out=len(shown.records.starts) < len(content.records.starts),
        light=colors.LIGHT | colors.PAGE_LIGHT | colors.MAP_LIGHT,
        dark=colors.DARK | colors.PAGE_DARK | colors.MAP_DARK,
        data={**_facts(shown), **texts},
        scripts=[_vendored(name) for name in _SCRIPTS],
        styles=[_vendored(name) for name in _STYLES],
        licenses={library: _vendored(name) for library, name in _LICENSES.items()},
    )


def _facts(content: Content) -> dict:
    grid = content.grid
    facts = {
        "rows": grid.rows,
        "cols": grid.cols,
        "box": None if grid.south is None else [grid.south, grid.west, grid.north, grid.east],
        "minutes": content.minutes,
        "times": content.times.tolist(),
        "steps": content.steps.tolist(),
        "recordTimes": content.records.starts.tolist(),
    }
    return facts | ({"percent": content.percent} if content.percent else {})


def _summary(content: Content) -> str:
    """The grid, the interval and the records in one line."""
    grid = content.grid
    cells = f"{grid.rows} × {grid.cols} cells"
    if grid.south is not None:
        height, width = cell_metres(grid)
        cells += f" of about {_length(width)} × {_length(height)}"
    every = {60: "hour", 1440: "day"}.get(content.minutes, f"{content.minutes} minutes")
    return f"{cells}; trips per {every}"


def _length(metres: float) -> str:
    rounded = float(np.format_float_positional(metres, 2, fractional=False))
    return f"{rounded:.0f} m" if rounded < 1000 else f"{rounded / 1000:g} km"


def _vendored(name: str) -> str:
    text = resources.files("crowdflow.maps").joinpath("vendor", name).read_text(encoding="utf-8")
    return text.replace("//# sourceMappingURL=leaflet.js.map", "")  # the page has no such file
