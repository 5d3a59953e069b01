"""CrowdFlow: citywide crowd-flow forecasting with ST-ResNet, as a TFX production pipeline.

Each of the names below is imported when it is first used, so `import crowdflow` itself is cheap. The floors of the
code, from the ground up: schema, storage, config, flows, ingest, simulation, evaluation, trainer, components,
serving, pipeline. `docs/architecture.md` leads through them.
"""

import importlib
from pathlib import Path
from typing import Any

_HOMES = {
    "Config": "config",
    "Forecaster": "serving.forecaster",
    "GrpcServer": "serving.grpc_server",
    "RestServer": "serving.rest",
    "create_pipeline": "pipeline.pipeline",
    # A Kubeflow step finds an artifact's class by a name with one dot, `crowdflow.FlowReport`.
    "FlowCounters": "components.artifacts",
    "FlowReport": "components.artifacts",
}
__all__ = [*_HOMES]

_here = Path(__file__).parent
if not (_here / "schema").is_dir():  # a checkout: the floors lie beside this folder
    __path__.append(str(_here.parent))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata  # 0.1 s

        return metadata.version(__name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
