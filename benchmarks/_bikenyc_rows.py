"""The rows of `bikenyc.py`: what its search tries, and the paper's ablations."""

from collections.abc import Mapping
from typing import Any

# The defaults when the first results were kept, whose files are named by a hash of what differs from these.
KEPT_DEFAULTS: Mapping[str, Any] = {
    "intervals.timezone": "America/New_York",
    "windows.closeness": 3,
    "windows.period": 1,
    "windows.average": 0,
    "windows.average_days": 0,
    "windows.average_decay": 1.0,
    "transform.time_of_day_type": False,
    "model.residual_units": 4,
    "model.filters": 64,
    "model.fusion_init": "uniform",
    "model.external_relu": True,
    "model.head": "tanh",
    "model.local": False,
    "model.members": 1,
    "training.epochs": 500,
    "training.final_epochs": 100,
    "training.batch_size": 32,
    "training.learning_rate": 2e-4,
    "training.final_learning_rate": None,
    "training.cell_decay": 0.0,
    "training.schedule": "constant",
}

# Where the search began: the preset without what the search has added since, and with a single network.
SEARCH_START: Mapping[str, Any] = {
    "transform.holiday_country": None,
    "transform.holiday_subdivision": None,
    "windows.average": 4,
    "windows.average_days": 0,
    "windows.average_decay": 1.0,
    "training.cell_decay": 0.0,
    "training.final_epochs": 30,
    "model.batch_norm": True,
    "model.members": 1,
}
HOLIDAYS = {"transform.holiday_country": "US", "transform.holiday_subdivision": "NY"}
BOTH = {**HOLIDAYS, "model.batch_norm": False}
# What the search tries: single changes of its starting point, with one network; then combinations of these.
CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "where it began": {},
    "batch 64, twice the rate": {
        "training.batch_size": 64,
        "training.final_learning_rate": 1e-2,
    },
    "half the rate": {"training.final_learning_rate": 2.5e-3},
    "45 epochs": {"training.final_epochs": 45},
    "no local component": {"model.local": False},
    "no average": {"windows.average": 0, "windows.average_days": 0},
    "holidays": HOLIDAYS,
    "no batch normalisation": {"model.batch_norm": False},
    "hours not by type of day": {
        "transform.time_of_day": True,
        "transform.time_of_day_type": False,
    },
    "closeness 6, period 3": {"windows.closeness": 6, "windows.period": 3},
    "4 residual units": {"model.residual_units": 4},
    "average of 2 weeks": {"windows.average": 2},
    "trend 2": {"windows.trend": 2},
    "batch 32": {"training.batch_size": 32},
    "64 filters": {"model.filters": 64},
    "holidays, no batch normalisation": BOTH,
    "these and 45 epochs": {**BOTH, "training.final_epochs": 45},
    "these and four networks": {**BOTH, "model.members": 4},
}

# The paper's ablations (its table 3 and figure 7), each a change of the authors' settings. Twenty-four full
# trainings would take a day on two processors, so each is cut to a fifth of the authors' steps unless --set says
# otherwise. At the learning rate 1e-3 the first seed's loss stopped falling after the second epoch.
ABLATION_TRAINING = {
    "training.epochs": 0,
    "training.final_epochs": 12,
    "training.batch_size": 16,
    "training.final_learning_rate": 2e-4,
    "training.schedule": "cosine",
    "training.precision": "auto",
}
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "L4, the authors' network": {},
    "no external": {"model.external": False},
    "no fusion (a plain sum)": {"model.fusion": "sum"},
    "batch normalisation": {"model.batch_norm": True},
    "L2": {"model.residual_units": 2},
    "L6": {"model.residual_units": 6},
    "closeness alone": {"windows.period": 0, "windows.trend": 0},
    "closeness and period": {"windows.trend": 0},
}
