"""Feature names, each defined once, for frames, windows, model inputs and signatures.

`H, W` are the grid, `h` the horizon, `lc, lp, lq` the lengths of closeness, period and trend. Maps are
`[H, W, 2]`, inflow then outflow, in trips per interval. `schema/README.md` describes them in full.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

# Channels of a map.
CHANNELS = ("inflow", "outflow")

# A flow frame (one tf.Example per interval, from FlowExampleGen).
INTERVAL_START = "interval_start"  # int64, wall-clock minutes since 1970-01-01 00:00
INFLOW = "inflow"  # float [H, W], trips per interval
OUTFLOW = "outflow"  # float [H, W]

# Covariates of a frame, and so of a window: known before the interval starts.
HOLIDAY = "holiday"  # int64, 1 where the interval's date is in a holidays file
WEATHER = "weather"  # int64, 0..16, last observed kind of weather
TEMPERATURE = "temperature"  # float, last observed, in the file's unit
WIND_SPEED = "wind_speed"  # float, last observed, in the file's unit
WEATHER_VALUES = "weather_values"  # float [k], last observed, the columns of a weather table
WEATHER_KNOWN = (
    "weather_known"  # int64, 0 if there is no recent observation (the weather above is 0 then)
)
WEATHER_KINDS = 17

# A window (one tf.Example per forecast, from WindowGen). Most recent lag first.
CLOSENESS = "closeness"  # float [lc, H, W, 2]
PERIOD = "period"  # float [lp * h, H, W, 2]
TREND = "trend"  # float [lq * h, H, W, 2]
# float [h + lc, H, W, 2], historical averages: of the target's steps, then of the closeness lags
AVERAGE = "average"
TARGET = "target"  # float [h, H, W, 2]
TARGET_TIME = "target_time"  # int64, wall-clock minutes of the first target interval's start
LAGS = (CLOSENESS, PERIOD, TREND, AVERAGE)

# The naive forecasts of a window's target, float [h, H, W, 2] each.
NAIVE_PREFIX = "naive_"
NAIVE_FORECASTS = (
    "last_interval",
    "last_week",
    "historical_average",
    "four_weeks",
    "weeks_and_days",
)

# WindowGen's split of the few `train` windows that hold the extremes of all, for Transform's constants.
SCALING_SPLIT = "scaling"

# Folders of WindowGen's output with the maps that windows refer to, see `storage.map_store`.
FRAMES_FOLDER, AVERAGES_FOLDER = "frames", "averages"

# Used in the evaluation only.
# int64 [H, W], 1 for a cell with any flow before the window and before the test period
ACTIVE_CELLS = "active_cells"
HOUR = "hour"  # int64, hour of the day of the first target interval
WEEKEND = "weekend"  # int64, 1 on Saturday and Sunday

# From Transform: lags and target scaled to [-1, 1], the external vector, and the scaling constants.
EXTERNAL = "external"  # float [E]
FLOW_MIN = "flow_min"  # float, the flow that scales to -1
FLOW_MAX = "flow_max"  # float, the flow that scales to 1

# The model's name in TensorFlow Serving.
MODEL_NAME = "crowdflow"

# Output of the signatures: float [batch, h, H, W, 2], trips per interval, never negative.
FLOW = "flow"
# Likewise its quantiles, where the model has some: float [batch, h, H, W, 2, Q].
QUANTILES = "quantiles"
DENSE_SIGNATURE = "serving_default"
EXAMPLES_SIGNATURE = "serving_examples"
EXAMPLES = "examples"  # string [batch], input of the second signature
MAX_BATCH = 1024  # maximum number of windows per request to the first signature

# The model's description of itself: a signature, and a file in its folder. JSON with `config` and these fields.
ACCOUNT_SIGNATURE = "account"
QUERY, ACCOUNT = "query", "account"  # string [batch], any text, and string [batch]
ACCOUNT_FILE = os.path.join("assets.extra", "crowdflow.json")
# The account's form: 1 since it has a number; accounts from before have none, and are read as 1.
FORMAT, FORMAT_NUMBER = "format", 1
TRAINED_UNTIL = "trained_until"  # last target interval of the training, wall-clock minutes
APPROVED = "approved"  # of a refitted model: TRAINED_UNTIL of the approved one, in the same version
HOLIDAYS = "holidays"  # dates YYYY-MM-DD of the country's table
LAYOUT = "layout"  # `range.pattern` of the training's data, or null
LEVELS = "quantiles"  # levels of the model's quantiles, in their order; absent, as in earlier models, it has none

# Statistics of the training targets: a TFDV proto, `evaluation/drift/statistics.py`.
TRAINING_STATISTICS_FILE = os.path.join("assets.extra", "training_statistics.pb")

# Metrics by epoch, in the folder of the model run.
HISTORY_FILE = "history.json"
# Forecasts of `eval` by networks that were not trained on it, in the same folder: see `trainer.quantiles.unseen`.
UNSEEN_FILE = "unseen.npz"

# What a node, an ingest or a batch of forecasts read, kept and dropped, by reason.
COUNTERS_FILE = "counters.json"
ACTIVE_FILE = "active_cells.json"  # [H][W], 1 for a cell with any flow before the test period

# How pushed models did on the days after their push, beside the versions.
LIVE_FILE = "live.json"

# The files of a report, for programs and for people.
METRICS_FILE, PAGE_FILE = "metrics.json", "index.html"


class Covariate(NamedTuple):
    """A covariate: its name, whether it is an integer (otherwise float), and its shape."""

    name: str
    is_integer: bool
    shape: tuple[int, ...] = ()


def covariates(
    holidays: bool, weather: bool, weather_columns: Sequence[str] = ()
) -> tuple[Covariate, ...]:
    """The covariates of frames and windows under a configuration, in order.

    Args:
      holidays: `ingest.holidays`.
      weather: `ingest.weather`.
      weather_columns: `ingest.weather_columns`, of length k.
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
    """The name of a naive forecast's window feature."""
    return NAIVE_PREFIX + name
