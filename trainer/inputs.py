"""What a caller of the model gives."""

from pipeline.config import Config
from trainer import features


def raw_inputs(config: Config) -> list[str]:
    """Names of what a caller of the model gives: lags, target time and covariates, in order."""
    windows, ingest = config.windows, config.ingest
    lengths = (windows.closeness, windows.period, windows.trend)
    lags = [name for name, length in zip(features.LAGS, lengths, strict=True) if length]
    known = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    return [*lags, features.TARGET_TIME, *(covariate.name for covariate in known)]
