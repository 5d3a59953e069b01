"""Pages with maps: a city to show, and the numbers in a page, read without the package's code."""

import base64
import json
import re
import struct
import zlib
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from crowdflow.config import GridConfig
from crowdflow.flows.frames import FrameBlock
from crowdflow.maps.content import Content, content

MONDAY = 26_163_360  # 2019-09-30 00:00, wall-clock minutes
WEEK = 7 * 1440


def city(
    rows,
    cols,
    box=None,
    minutes=60,
    steps=6,
    weeks=3,
    after=2,
    scale=20.0,
    title="a city",
    percent=None,
):
    """A page's content: Poisson flows of a rhythm of days, with empty cells, and forecasts from `MONDAY` on.

    Args:
      rows: of the grid.
      cols: of the grid.
      box: south, west, north and east, or None.
      minutes: length of an interval.
      steps: of the one forecast.
      weeks: of records before it.
      after: intervals whose truth is known.
      scale: trips of a busy cell and interval.
      title: of the page.
      percent: of the band around the forecasts; None is none.
    """
    random = np.random.default_rng(7)
    busy = random.gamma(0.7, 1, (rows, cols)) * (random.random((rows, cols)) > 0.3)
    starts = MONDAY - weeks * WEEK + np.arange(weeks * WEEK // minutes + after) * minutes

    def expected(times: np.ndarray) -> np.ndarray:
        hour = times % 1440 / 60
        rhythm = [0.2 + np.exp(-(((hour - peak) / 3) ** 2)) for peak in (8.5, 17.5)]
        return np.stack(rhythm, -1)[:, None, None] * busy[..., None] * scale

    targets = MONDAY + np.arange(steps) * minutes
    frames = FrameBlock(starts, random.poisson(expected(starts)).astype(np.float32))
    flows = (np.round(expected(targets) * 16) / 16).astype(np.float32)  # exact in the page
    grid = GridConfig(rows, cols, *(box or (None,) * 4))
    reach = np.ceil(1.3 * np.sqrt(flows) * 16) / 16
    ends = np.stack([np.maximum(flows - reach, 0), flows + reach], -1)
    band = (percent, ends[None]) if percent else None
    return content(title, grid, minutes, targets[None], flows[None], frames, band=band)


def read_page(text: str) -> dict:
    """The data of a page; `forecast`, `usual`, `records`, `low` and `high` as float `[times, H, W, 2]`."""
    [found] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    data = json.loads(found)
    for name in {"forecast", "usual", "records", "low", "high"} & set(data):
        times = "recordTimes" if name == "records" else "times"
        planes = zlib.decompress(base64.b64decode(data[name]))
        count = len(planes) // 4
        values = [struct.unpack("<f", planes[i::count])[0] for i in range(count)]
        shape = (2, data["rows"], data["cols"], len(data[times]))
        data[name] = np.moveaxis(np.array(values).reshape(shape), (3, 0), (0, 3))
    return data


def expected_rows(of: Content, k: int, cell: tuple[int, int] | None = None) -> list[list[str]]:
    """What the page's table says of an interval, for a cell or the whole city."""

    def numbers(flows: np.ndarray | None) -> list[str]:
        if flows is None:
            return ["–"] * 3
        values = flows.sum((0, 1), dtype=float) if cell is None else flows[cell].astype(float)
        return [*map(words, values), words(values[0] - values[1], "+")]

    def words(value: float, plus: str = "") -> str:
        places = Decimal("0.1") if abs(value) < 99.95 else Decimal(1)
        text = f"{Decimal(abs(value)).quantize(places, ROUND_HALF_UP):,}"
        sign = "" if not re.search("[1-9]", text) else "−" if value < 0 else plus
        return sign + text

    known = dict(zip(of.records.starts.tolist(), of.records.maps))
    time = int(of.times[k])
    rows = {"Forecast": of.forecast[k], "Came": known.get(time)}
    rows |= {"Last week": known.get(time - WEEK), "Usual": of.usual[k]}
    found = [[name, *numbers(flows)] for name, flows in rows.items()]
    if of.percent and cell is not None:
        for channel in (0, 1):
            ends = (Decimal(float(end[(k, *cell, channel)])) for end in (of.low, of.high))
            low, high = (f"{end.quantize(Decimal(1), ROUND_HALF_UP):,}" for end in ends)
            found[0][1 + channel] += f" ({low} to {high})"
    return found
