"""The inputs of the pushed model."""

from crowdflow.config import Config
from crowdflow.schema import features


def raw_inputs(config: Config) -> list[str]:
    """Names of the pushed model's raw inputs: lags, target time and covariates, in order."""
    ingest, lags = config.ingest, config.windows.lag_maps()
    known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    return [*lags, features.TARGET_TIME, *(covariate.name for covariate in known)]
