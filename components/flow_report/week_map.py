"""The last week of the test windows as the page that `crowdflow predict --page` writes."""

import numpy as np

from crowdflow.components.flow_report.period import MODEL
from crowdflow.components.flow_report.report_data import LABELS, ReportData
from crowdflow.config import GridConfig
from crowdflow.flows.frames import FrameBlock, merge_blocks
from crowdflow.flows.quantiles import shown_interval
from crowdflow.maps.content import WEEK, Content
from crowdflow.maps.page import render_page

_MOST_BYTES = 1_000_000


def week_map(data: ReportData) -> str:
    """A page of its own as HTML: the first step's forecasts, truth and naive forecasts of the last test week."""
    times, maps = data.tested.week, data.tested.week_maps
    band = {}
    if data.tested.week_band is not None:
        percent, *_ = shown_interval(data.quantiles["levels"])
        low, high = np.moveaxis(data.tested.week_band, -1, 0)
        band = {"percent": percent, "low": low, "high": high}
    known = (FrameBlock(times - WEEK, maps["last_week"]), FrameBlock(times, maps["truth"]))
    return render_page(
        Content(
            title=f"{data.title}, test windows",
            grid=data.grid or GridConfig(*data.tested.active.shape),
            minutes=data.interval_minutes,
            times=times,
            steps=np.ones_like(times),
            forecast=maps[MODEL],
            usual=maps["historical_average"],
            usual_words=f"the {LABELS['historical_average'].lower()}",
            records=merge_blocks(known),
            **band,
        ),
        _MOST_BYTES,
    )
