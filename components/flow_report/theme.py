"""The settings of the report's figures, and figures as SVG for the page.

Figures are drawn in the light colours. In the page each colour becomes a CSS variable, so that the
same figure follows the reader's light or dark setting.
"""

import contextlib
import html
import io
import re

import matplotlib
from matplotlib.figure import Figure

from crowdflow.maps.colors import LIGHT

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
