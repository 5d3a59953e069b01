"""Colours of the pages for light and dark: CSS variables by name. The report's figures use the first two, too."""

LIGHT = {
    "ink": "#1b2430",
    "muted": "#5a6675",
    "grid": "#e2e7ed",
    "band": "#eef1f5",
    "inactive": "#c9d0d8",
    "model": "#0067b1",
    "interval": "#bcdcf2",
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
    "interval": "#204763",
    "last-pushed": "#9fd4f5",
    "historical-average": "#f2b04a",
    "last-week": "#3fcf9f",
    "four-weeks": "#cdbb4a",
    "weeks-and-days": "#c39af0",
    "last-interval": "#e59cc6",
}
# Colours that only the pages use.
PAGE_LIGHT = {"page": "#f4f6f8", "card": "#ffffff", "good": "#0b7a4b", "bad": "#b3261e"}
PAGE_DARK = {"page": "#12171d", "card": "#1b222b", "good": "#4ccb8f", "bad": "#ff8a80"}
# Colours of the maps from few to many trips, and from less through equal to more; no flow looks like the page.
MAP_LIGHT = {
    "ramp": "#f1f5f4 #c9e4d6 #8accbd #45a5b0 #2a759f #2a4684 #241a52",
    "difference": "#8c3a06 #d97a1e #f6c98a #f4f4f2 #a9d0e4 #3b88bd #0b3f77",
    "ground": "#e9edf1",
}
MAP_DARK = {
    "ramp": "#1d2630 #21405f #23628a #2a89a3 #4db3a4 #9bd9a8 #f3fbc9",
    "difference": "#ffb066 #d97a1e #7f4a1c #262d36 #1f5078 #3f93cc #a8dcff",
    "ground": "#151b22",
}
