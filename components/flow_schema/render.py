"""Fills in the schema templates from a configuration."""

import hashlib

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from crowdflow.config import Config
from crowdflow.schema import features, templates


def render(name: str, config: Config) -> str:
    """The text of a schema.

    Args:
      name: `templates.FRAMES`, `WINDOWS` or `DRIFT`.
      config: its grid, windows, covariates, bounds and thresholds fill the template.

    Returns:
      A `Schema` as text. It starts with a digest of the templates, so that nodes keyed by this text notice
      any edit of a template.
    """
    template = templates.read(name)
    lags, grid, ingest = config.windows.lag_maps(), config.grid, config.ingest
    parsed = templates.fill(
        template,
        rows=grid.rows,
        cols=grid.cols,
        max_flow=ingest.max_flow,
        **{lag: lags.get(lag, 0) for lag in features.LAGS},
        horizon=config.windows.horizon,
        weather_columns=len(ingest.weather_columns),
        drift_sizes=config.drift.sizes,
        drift_hours=config.drift.hours,
        drift_cells=config.drift.cells,
    )
    absent = set(features.LAGS) - set(lags)
    kept = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    every = features.covariates(True, True, ("any",))
    absent |= {c.name for c in every} - {c.name for c in kept}
    present = [feature for feature in parsed.feature if feature.name not in absent]
    digest = hashlib.sha256(template.encode()).hexdigest()
    return f"# templates {digest}\n" + text_format.MessageToString(
        schema_pb2.Schema(feature=present)
    )
