"""Every feature name, once. Frames, windows, the model's inputs and the signatures all take them from here.

`H, W` are the grid, `h` the horizon, `lc, lp, lq` the lengths of closeness, period and trend. Maps are
`[H, W, 2]`, inflow then outflow, in trips per interval. `schema/README.md` says it in words.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

# Channels of a map.
CHANNELS = ("inflow", "outflow")

# A flow frame (one tf.Example an interval, out of FlowExampleGen).
INTERVAL_START = "interval_start"  # int64, wall-clock minutes since 1970-01-01 00:00
INFLOW = "inflow"  # float [H, W], trips per interval
OUTFLOW = "outflow"  # float [H, W]

# Covariates of a frame, and so of a window: what is known before the interval starts.
HOLIDAY = "holiday"  # int64, 1 where the interval's date is in a holidays file
WEATHER = "weather"  # int64, 0..16, the last observed weather kind
TEMPERATURE = "temperature"  # float, last observed, in the file's unit
WIND_SPEED = "wind_speed"  # float, last observed, in the file's unit
WEATHER_VALUES = "weather_values"  # float [k], last observed, the columns of a weather table
WEATHER_KNOWN = (
    "weather_known"  # int64, 0 where nothing recent enough was observed (the weather above is 0)
)
WEATHER_KINDS = 17

# A window (one tf.Example a forecast, out of WindowGen). Lags most recent first.
CLOSENESS = "closeness"  # float [lc, H, W, 2]
PERIOD = "period"  # float [lp * h, H, W, 2]
TREND = "trend"  # float [lq * h, H, W, 2]
# float [h + lc, H, W, 2], means of weeks: at the target's steps, then at the closeness lags
AVERAGE = "average"
TARGET = "target"  # float [h, H, W, 2]
TARGET_TIME = "target_time"  # int64, wall-clock minutes of the first target interval's start
LAGS = (CLOSENESS, PERIOD, TREND, AVERAGE)

# The naive forecasts of a window's target, float [h, H, W, 2] each.
NAIVE_PREFIX = "naive_"
NAIVE_FORECASTS = ("last_interval", "last_week", "historical_average")

# For evaluation only.
ACTIVE_CELLS = "active_cells"  # int64, cells with any flow before it, the test period apart
HOUR = "hour"  # int64, hour of the day of the first target interval
WEEKEND = "weekend"  # int64, 1 on Saturday and Sunday

# Out of Transform: lags and target scaled to [-1, 1], one vector, and the constants of the scaling.
EXTERNAL = "external"  # float [E]
FLOW_MIN = "flow_min"  # float, the flow that scales to -1
FLOW_MAX = "flow_max"  # float, the flow that scales to 1

# The model, as TensorFlow Serving knows it.
MODEL_NAME = "crowdflow"

# Out of the signatures: float [batch, h, H, W, 2], trips per interval, never below zero.
FLOW = "flow"
DENSE_SIGNATURE = "serving_default"
EXAMPLES_SIGNATURE = "serving_examples"
EXAMPLES = "examples"  # string [batch], what the second one takes
MAX_BATCH = 1024  # windows in a request to the first one; more are refused

# The model's account of itself: a third signature, and a file beside the model. JSON, with `config` and:
ACCOUNT_SIGNATURE = "account"
QUERY, ACCOUNT = "query", "account"  # string [batch] in, whatever it says, and string [batch] out
ACCOUNT_FILE = os.path.join("assets.extra", "crowdflow.json")
TRAINED_UNTIL = "trained_until"  # the last target interval it was trained on, wall-clock minutes

# Statistics of the targets it was trained on: a TFDV proto, `evaluation/drift/statistics.py`.
TRAINING_STATISTICS_FILE = os.path.join("assets.extra", "training_statistics.pb")

# The training's account, in the model run's folder.
HISTORY_FILE = "history.json"

# What a node, an ingest or a batch of forecasts read, kept and dropped, by reason.
COUNTERS_FILE = "counters.json"


class Covariate(NamedTuple):
    """A covariate's name, whether it is an integer (else float), and its shape."""

    name: str
    is_integer: bool
    shape: tuple[int, ...] = ()


def covariates(
    holidays: bool, weather: bool, weather_columns: Sequence[str] = ()
) -> tuple[Covariate, ...]:
    """The covariates that a configuration's frames and windows carry, in order.

    Args:
      holidays: `ingest.holidays`.
      weather: `ingest.weather`.
      weather_columns: `ingest.weather_columns`, k of them.
    """
    found = (Covariate(HOLIDAY, True),) if holidays else ()
    if weather:
        found += (
            Covariate(WEATHER, True),
            Covariate(TEMPERATURE, False),
            Covariate(WIND_SPEED, False),
        )
    if weather_columns:
        found += (Covariate(WEATHER_VALUES, False, (len(weather_columns),)),)
    return (*found, Covariate(WEATHER_KNOWN, True)) if weather or weather_columns else found


def naive_feature(name: str) -> str:
    """The window feature of a naive forecast."""
    return NAIVE_PREFIX + name
