"""Flows as short texts for a page, which `templates/data.js` unpacks."""

import base64
import dataclasses
import zlib
from collections.abc import Iterator

import numpy as np

from crowdflow.flows.frames import FrameBlock
from crowdflow.maps.content import WEEK, Content

MOST_BYTES = 4_500_000  # of all texts together; the page's own code takes another 0.25 MB
_MANTISSA = 23  # bits of a float32
# Bits of the mantissa that are kept: the error is below 1 in 32,000, or below 1 in 500.
_FINE, _COARSE = 14, 8


def pack(flows: np.ndarray, bits: int) -> str:
    """Rounds flows and packs them: float32, cell by cell, the bytes of equal weight together, zlib, Base64.

    Args:
      flows: float32 `[n, H, W, 2]`; NaN is kept. Read back as `[2, H, W, n]`.
      bits: of the mantissa that are kept, 1 to 22.
    """
    flat = np.ascontiguousarray(np.moveaxis(flows.astype(np.float32), (3, 0), (0, 3)))
    kept = flat.view(np.uint32)
    cut = _MANTISSA - bits
    rounded = (kept + np.uint32(1 << (cut - 1))) & np.uint32(0xFFFFFFFF << cut & 0xFFFFFFFF)
    rounded = np.where(np.isnan(flat), np.float32(np.nan).view(np.uint32), rounded)
    planes = rounded.astype("<u4").view(np.uint8).reshape(-1, 4).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode("ascii")


def packed_within(content: Content, most: int) -> tuple[Content, dict[str, str]]:
    """Packs a page's flows into at most `most` bytes, with as little left out as that takes.

    First numbers are rounded more, then the bands are left out, then the records of the week before but for those
    at the same time a week before, and then intervals at the end, half of them at a time, down to one.

    Returns:
      What is left of the content; the texts of `forecast`, `usual`, `records` and of a band's `low` and `high`.
    """
    for less, bits in _smaller(content):
        parts = {"forecast": less.forecast, "usual": less.usual, "records": less.records.maps}
        if less.percent:
            parts |= {"low": less.low, "high": less.high}
        if len(less.times) > 1 and sum(map(np.count_nonzero, parts.values())) > 2 * most:
            continue  # two numbers hardly fit into a byte
        texts = {name: pack(part, bits) for name, part in parts.items()}
        if sum(map(len, texts.values())) <= most:
            break
    return less, texts


def _smaller(content: Content) -> Iterator[tuple[Content, int]]:
    yield content, _FINE
    yield content, _COARSE
    if content.percent:
        content = dataclasses.replace(content, percent=None, low=None, high=None)
        yield content, _COARSE
    count = len(content.times)
    while True:
        yield _cut(content, count), _COARSE
        if count == 1:
            return
        count = -(-count // 2)


def _cut(content: Content, count: int) -> Content:
    """The first intervals, without bands, with the records of their time and of the same time a week before."""
    times, records = content.times[:count], content.records
    kept = np.isin(records.starts, times) | np.isin(records.starts, times - WEEK)
    return dataclasses.replace(
        content,
        times=times,
        steps=content.steps[:count],
        forecast=content.forecast[:count],
        usual=content.usual[:count],
        records=FrameBlock(records.starts[kept], records.maps[kept]),
    )
