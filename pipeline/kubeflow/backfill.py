"""Runs as of earlier days, one after the other."""

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Any

from crowdflow.config.checks import require, require_date
from crowdflow.pipeline.kubeflow.parameters import LAST_DATE
from crowdflow.schema.errors import SubmitError

_SUCCEEDED = "SUCCEEDED"
_ENDED = (_SUCCEEDED, "FAILED", "CANCELED", "SKIPPED")
WAIT = 10.0  # seconds between two looks at a run


def days_between(first: str, last: str) -> list[str]:
    """Every date of a range, both ends included.

    Raises:
      ConfigError: an end is no date YYYY-MM-DD, or they are in the other order.
    """
    for date in (first, last):
        require_date("--backfill", date)
    begin, end = map(dt.date.fromisoformat, (first, last))
    require(begin <= end, "--backfill", "FROM before TO", f"{first} {last}")
    return [str(begin + dt.timedelta(days=day)) for day in range((end - begin).days + 1)]


def run_day(
    client: Any,
    name: str,
    day: str,
    common: Mapping[str, Any],
    endpoint: str,
    report: Callable[[str], None],
) -> None:
    """Runs the pipeline with the data up to a day and waits for its end, so that days are pushed in order.

    Args:
      client: kfp's.
      name: of the run.
      day: YYYY-MM-DD.
      common: arguments of `run_pipeline`, with the run's other `params`.
      endpoint: address of Kubeflow Pipelines' API.
      report: called with one line when the run starts and one when it ends.

    Raises:
      SubmitError: the run did not succeed.
    """
    run = client.run_pipeline(
        job_name=name, **{**common, "params": {**common["params"], LAST_DATE: day}}
    )
    report(f"{day}: run {run.run_id}: {page_of(endpoint, run.run_id)}")
    while (state := client.get_run(run.run_id).state) not in _ENDED:
        time.sleep(WAIT)
    report(f"{day}: {state.lower()}")
    if state != _SUCCEEDED:
        raise SubmitError(
            f"{name} ended as {state.lower()}, and the days after it did not run: its page has the log. Give this "
            "day as --backfill's first to go on from there."
        )


def page_of(endpoint: str, run_id: str) -> str:
    """The address of a run's page."""
    return f"{endpoint}/#/runs/details/{run_id}"
