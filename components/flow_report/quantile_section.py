"""How the model's quantiles held on the test windows: against naive ones, by part of the day, by size of cell."""

from typing import Any, Optional

import numpy as np

from crowdflow.components.flow_report.period import TestPeriod
from crowdflow.evaluation.usual_quantiles import HOUR_OF_WEEK
from crowdflow.flows.quantiles import PARTS_OF_DAY, QuantileSums

_SIZES = ("quietest third of the cells", "middle third", "busiest third")
LABELS = {
    "model": "Model",
    HOUR_OF_WEEK: "Earlier flows of the same slot of the week",
    "poisson": "Poisson around the historical average",
}


def held(
    found: Optional[dict[str, Any]], tested: TestPeriod, usual: QuantileSums
) -> Optional[dict[str, Any]]:
    """What `metrics.json` says of quantiles: the Evaluator's part, and more from the test windows.

    Args:
      found: levels and metrics by source, or None for a model without quantiles.
      tested: the test windows.
      usual: of the slot of the week.

    Returns:
      `found` with `hour_of_week` among the sources, `calibration` (the share of flows below each quantile), and
      `by_part` and `by_size`, lists of metrics with their `label`.
    """
    if found is None or not tested.held:
        return None
    sources = {
        "model": found["sources"]["model"],
        HOUR_OF_WEEK: usual.metrics(),
        **found["sources"],
    }
    cells = np.broadcast_to(tested.active[..., None], tested.held[0].below.shape[:-1])
    hours = 24 // PARTS_OF_DAY
    by_part = [
        {
            "label": f"{hours * part:02d}:00 to {hours * (part + 1):02d}:00",
            **sums.of(cells).metrics(),
        }
        for part, sums in enumerate(tested.held)
        if sums.count
    ]
    whole = QuantileSums.zero(found["levels"], cells.shape)
    for sums in tested.held:
        whole.merge(sums)
    rank = np.argsort(np.argsort(tested.cell_flow[tested.active], kind="stable"))
    by_size = []
    for third, label in enumerate(_SIZES):
        chosen = np.zeros_like(cells)
        chosen[tested.active] = (rank * len(_SIZES) // len(rank) == third)[:, None]
        if chosen.any():
            by_size.append({"label": label, **whole.of(chosen).metrics()})
    return {
        **found,
        "sources": sources,
        "calibration": whole.of(cells).calibration(),
        "by_part": by_part,
        "by_size": by_size,
    }
