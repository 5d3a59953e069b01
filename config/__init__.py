"""Settings of a run, with their checks, and the presets."""

from crowdflow.config.config import Config, field_names
from crowdflow.config.daily_settings import BeamConfig, BeamNodes, DriftConfig, RangeConfig
from crowdflow.config.data_settings import (
    GridConfig,
    IngestConfig,
    IntervalConfig,
    SplitConfig,
    WindowConfig,
)
from crowdflow.config.kubeflow_settings import KubeflowConfig, Resources
from crowdflow.config.model_settings import (
    EvaluationConfig,
    ModelConfig,
    PathsConfig,
    TrainingConfig,
    TransformConfig,
)
from crowdflow.config.trips_settings import TripsConfig

__all__ = [
    "BeamConfig",
    "BeamNodes",
    "Config",
    "DriftConfig",
    "EvaluationConfig",
    "GridConfig",
    "IngestConfig",
    "IntervalConfig",
    "KubeflowConfig",
    "ModelConfig",
    "PathsConfig",
    "RangeConfig",
    "Resources",
    "SplitConfig",
    "TrainingConfig",
    "TransformConfig",
    "TripsConfig",
    "WindowConfig",
    "field_names",
]
