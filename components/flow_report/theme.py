"""The report's colours and style sheet, and how a figure becomes part of the page.

Figures are drawn in the light colours; in the page each of them becomes a CSS variable, so that the
same picture follows the reader's light or dark setting.
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
    "last-interval": "#e59cc6",
}
# Colours of the page alone.
_PAGE_LIGHT = {"page": "#f4f6f8", "card": "#ffffff", "good": "#0b7a4b", "bad": "#b3261e"}
_PAGE_DARK = {"page": "#12171d", "card": "#1b222b", "good": "#4ccb8f", "bad": "#ff8a80"}

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
    """The settings under which every figure is made."""
    return matplotlib.rc_context(_RC)


def color(source: str) -> str:
    """The colour of a forecast, a name of `report_data.LABELS`."""
    return LIGHT[source.replace("_", "-")]


def inline_svg(figure: Figure, name: str, alt: str) -> str:
    """A figure as an SVG element for the page: scalable, themed, ids prefixed with `name`."""
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


def _variables(*colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for group in colours for name, value in group.items())


STYLE_SHEET = (
    f":root{{color-scheme:light dark;{_variables(LIGHT, _PAGE_LIGHT)}}}\n"
    f"@media(prefers-color-scheme:dark){{:root{{{_variables(DARK, _PAGE_DARK)}}}}}\n"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{max-width:1240px;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2rem}
h2{font-size:1.2rem;margin:2.6rem 0 .8rem}
h3{font-size:.95rem;margin:0 0 .5rem}
p{margin:.3rem 0}
.muted,figcaption,caption{color:var(--muted)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em}
code{overflow-wrap:anywhere}
.verdict,.card,figure,details{background:var(--card);border:1px solid var(--grid);
  border-radius:10px;padding:1.1rem 1.25rem}
.verdict{border-left:6px solid var(--tone);margin:1.4rem 0 1rem}
.verdict strong{color:var(--tone);font-size:1.15rem}
.verdict ul{margin:.5rem 0 0;padding-left:1.2rem}
.good{--tone:var(--good)}.bad{--tone:var(--bad)}
td.good,td.bad{color:var(--tone)}
.cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr))}
.cards.wide{grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}
.number{font-size:1.9rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.number small{font-size:.9rem;font-weight:400;color:var(--muted)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.42rem .7rem;border-bottom:1px solid var(--grid);text-align:right;vertical-align:top}
thead th{min-width:6rem;color:var(--muted);font-weight:600;font-size:.85rem;vertical-align:bottom}
th:first-child{text-align:left;padding-left:0}
tbody th{font-weight:400}
.metrics th:first-child{white-space:nowrap}
tr:last-child>*{border-bottom:0}
tr.model>*{font-weight:650}
td.best{background:color-mix(in srgb,var(--good) 16%,transparent);border-radius:4px}
td.zero{color:var(--muted)}
td.text{overflow-wrap:anywhere}
figure{margin:0 0 1.2rem;min-width:0}
figure svg{display:block;width:100%;height:auto;margin:0 auto}
figure image{image-rendering:pixelated}
figcaption{font-size:.92rem;margin-top:.7rem;max-width:75ch}
figcaption b{color:var(--ink)}
.pair{display:flex;flex-wrap:wrap;gap:0 1.2rem}
details{margin-top:1rem}
summary{cursor:pointer;font-weight:600}
pre{overflow-x:auto;margin:.8rem 0 0}
@media(max-width:40rem){main{padding:1.2rem .75rem 3rem}
  .verdict,.card,figure,details{padding:.9rem}}
@media print{body{background:none}figure,.card{break-inside:avoid}}
"""
)
