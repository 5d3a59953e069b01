"""The paper's settings, for tests that are simplest with them."""

from crowdflow.config import ModelConfig, WindowConfig

NO_AVERAGE = {"average": 0, "average_days": 0}
LAGS = {"closeness": 3, "period": 1, "trend": 1, **NO_AVERAGE}
NETWORK = {
    "residual_units": 4,
    "filters": 64,
    "fusion_init": "uniform",
    "external_relu": True,
    "head": "tanh",
    "local": False,
    "members": 1,
    "quantiles": (),
}
TRAINING = {
    "epochs": 500,
    "final_epochs": 100,
    "batch_size": 32,
    "learning_rate": 2e-4,
    "final_learning_rate": None,
    "cell_decay": 0.0,
    "schedule": "constant",
}


def lags(*given: int, **named: int) -> WindowConfig:
    """A window's lags, without an average unless it is given."""
    names = ("closeness", "period", "trend", "horizon")
    return WindowConfig(**{**LAGS, **dict(zip(names, given)), **named})


def network(**changed: object) -> ModelConfig:
    """The paper's network, with changes."""
    return ModelConfig(**{**NETWORK, **changed})
