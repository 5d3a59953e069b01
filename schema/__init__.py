"""The curated schemas: templates in this folder, made concrete from a configuration. See README.md."""

import hashlib
from importlib import resources
from string import Template

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config import Config
from trainer import features

FRAMES, WINDOWS, DRIFT, _COVARIATES = "frames", "windows", "drift", "covariates"


def render(name: str, config: Config) -> str:
    """The text of a concrete schema.

    Args:
      name: `frames`, `windows` or `drift`.
      config: its grid, windows, covariates, bounds and thresholds fill the template.

    Returns:
      A `Schema` as text. It starts with a digest of the templates, so that nodes keyed by this text notice
      any edit of a template.
    """
    templates = [
        resources.files("schema").joinpath(f"{part}.pbtxt").read_text(encoding="utf-8")
        for part in ((name,) if name == DRIFT else (name, _COVARIATES))
    ]
    lags, grid, ingest = config.windows.lag_maps(), config.grid, config.ingest
    text = Template("\n".join(templates)).substitute(
        rows=grid.rows,
        cols=grid.cols,
        cells=grid.rows * grid.cols,
        max_flow=ingest.max_flow,
        **{lag: lags.get(lag, 0) for lag in features.LAGS},
        horizon=config.windows.horizon,
        weather_columns=len(ingest.weather_columns),
        drift_sizes=config.drift.sizes,
        drift_hours=config.drift.hours,
        drift_cells=config.drift.cells,
    )
    parsed = text_format.Parse(text, schema_pb2.Schema())
    absent = set(features.LAGS) - set(lags)
    kept = features.covariates(ingest.holidays, ingest.weather, ingest.weather_columns)
    every = features.covariates(True, True, ("any",))
    absent |= {c.name for c in every} - {c.name for c in kept}
    present = [feature for feature in parsed.feature if feature.name not in absent]
    digest = hashlib.sha256("\n".join(templates).encode()).hexdigest()
    return f"# templates {digest}\n" + text_format.MessageToString(
        schema_pb2.Schema(feature=present)
    )


def parse(text: str) -> schema_pb2.Schema:
    """Reads what `render` wrote."""
    return text_format.Parse(text, schema_pb2.Schema())
