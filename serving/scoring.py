"""Forecasts in files against records in files."""

from collections.abc import Mapping, Sequence
from typing import Any

from crowdflow.config import Config
from crowdflow.evaluation.score import score
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.flows.usual import holiday_days
from crowdflow.ingest.covariates.side_files import NO_COVARIATES
from crowdflow.ingest.history import read_history
from crowdflow.serving.folder import find_model
from crowdflow.serving.forecast_files import read_forecasts
from crowdflow.serving.forecaster import settings_in
from crowdflow.storage.store_path import as_path


def score_files(
    forecasts: Sequence[str],
    data: Sequence[str],
    model: str | None,
    version: int | None,
    config: Config | None,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """See `evaluation.score`.

    Args:
      forecasts: as `read_forecasts` has them.
      data: files, folders and patterns of records.
      model: folder of the model whose settings are taken; None with `config`.
      version: which of the folder's models; None is the newest.
      config: the settings, without a model.
      settings: of how the files are read.

    Raises:
      CrowdFlowError: there is no model, or the forecasts or the data cannot be used.
    """
    if config is None:
        config, dates = settings_in(find_model(as_path(model), version))
    else:
        dates = holiday_dates(config.transform)
    config = config.replace_reading(dict(settings)).replace(NO_COVARIATES)
    made = read_forecasts(forecasts, config)
    frames = read_history(data, config).frames
    return score(made, frames, config.intervals.minutes, holiday_days(dates))
