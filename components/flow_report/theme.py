"""The report's colours, the settings of its figures, and figures as SVG for the page.

Figures are drawn in the light colours. In the page each colour becomes a CSS variable, so that the
same figure follows the reader's light or dark setting.
"""

import contextlib
import html
import io
import re

import matplotlib
from matplotlib.figure import Figure

LIGHT = {
    "ink": "#1b2430",
    "muted": "#5a6675",
    "grid": "#e2e7ed",
    "band": "#eef1f5",
    "inactive": "#c9d0d8",
    "model": "#0067b1",
    "last-pushed": "#45a5dd",
    "historical-average": "#d98200",
    "last-week": "#00936b",
    "four-weeks": "#7b6a00",
    "weeks-and-days": "#8a4fc4",
    "last-interval": "#b85f95",
}
DARK = {
    "ink": "#e8ecf1",
    "muted": "#a3afbd",
    "grid": "#333c47",
    "band": "#28303a",
    "inactive": "#56606c",
    "model": "#58b4ff",
    "last-pushed": "#9fd4f5",
    "historical-average": "#f2b04a",
    "last-week": "#3fcf9f",
    "four-weeks": "#cdbb4a",
    "weeks-and-days": "#c39af0",
    "last-interval": "#e59cc6",
}
# Colours that only the page uses.
PAGE_LIGHT = {"page": "#f4f6f8", "card": "#ffffff", "good": "#0b7a4b", "bad": "#b3261e"}
PAGE_DARK = {"page": "#12171d", "card": "#1b222b", "good": "#4ccb8f", "bad": "#ff8a80"}

_RC = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titlecolor": LIGHT["ink"],
    "axes.labelcolor": LIGHT["muted"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.linewidth": 0.7,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "text.color": LIGHT["ink"],
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "date.epoch": "1970-01-01T00:00:00",
}


def style() -> contextlib.AbstractContextManager:
    """Matplotlib's settings for every figure, as a context manager."""
    return matplotlib.rc_context(_RC)


def color(source: str) -> str:
    """The colour of a forecast, given its name in `report_data.LABELS`."""
    return LIGHT[source.replace("_", "-")]


def inline_svg(figure: Figure, name: str, alt: str) -> str:
    """Draws a figure as an SVG element for the page: scalable, themed, its texts escaped.

    Args:
      figure: drawn under `style()`.
      name: prefix of the element's ids, so that they are unique on the page.
      alt: text for readers who cannot see the figure.
    """
    text = io.StringIO()
    figure.savefig(
        text, format="svg", facecolor="none", dpi=144, bbox_inches="tight", pad_inches=0.05
    )
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\1{name}-", svg)
    for token, light in LIGHT.items():
        svg = svg.replace(light, f"var(--{token})")
    points = float(re.search(r'viewBox="0 0 ([\d.]+)', svg).group(1))
    width = points * 96 / 72  # CSS pixels
    root = (
        f'<svg role="img" aria-label="{html.escape(alt)}" '
        f'style="max-width:{width:.0f}px;min-width:{0.65 * width:.0f}px" '
    )
    # The page's layout sizes the picture, not the fixed size in points.
    size = re.compile(r'<svg (.*?)width="[^"]*" height="[^"]*"', re.DOTALL)
    return size.sub(lambda match: root + match.group(1), svg, count=1)
