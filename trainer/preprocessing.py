"""The Transform step: scales by the train split, and derives calendar features from the target time."""

import datetime as dt
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from crowdflow.config import Config
from crowdflow.flows.holiday_table import PAST_TABLE
from crowdflow.schema import features
from crowdflow.schema.intervals import DAYS_PER_WEEK, MINUTES_PER_DAY, date_to_minutes, weekday


def preprocessing_fn(
    inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]
) -> dict[str, tf.Tensor]:
    """Turns raw window features into the model's inputs.

    Analyzers see the few windows of `train` that hold its extremes (`flows.extremes`), so they may ask for the
    smallest and largest flow and weather, and for nothing else.

    Args:
      inputs: a batch of windows, as `schema/windows.pbtxt` has them.
      custom_config: `config`, the JSON of the sections intervals, ingest and transform, and `holidays`, the
        dates YYYY-MM-DD of `transform.holiday_country`'s table.

    Returns:
      The lags and the target scaled to [-1, 1] by the smallest and largest flow of the train windows, float32
      in their shapes; `external` float32 `[batch, E]` where there are sources for it; `flow_min` and
      `flow_max` float32 `[batch]`, the scaling constants; `target_time` as it came.
    """
    config = Config.from_sections(custom_config["config"])
    maps = [name for name in (*features.LAGS, features.TARGET) if name in inputs]
    flat = tf.concat([tf.reshape(inputs[name], [-1]) for name in maps], axis=0)
    low, high = tft.min(flat), tft.max(flat)
    span = tf.maximum(high - low, 1e-6)
    out = {name: 2.0 * (inputs[name] - low) / span - 1.0 for name in maps}
    external = _external(inputs, config, custom_config["holidays"])
    if external:
        out[features.EXTERNAL] = tf.concat(external, axis=1)
    times = inputs[features.TARGET_TIME]
    out[features.TARGET_TIME] = times
    out[features.FLOW_MIN] = tf.fill(tf.shape(times), low)
    out[features.FLOW_MAX] = tf.fill(tf.shape(times), low + span)
    return out


def _external(inputs: dict[str, tf.Tensor], config: Config, holidays: list[str]) -> list[tf.Tensor]:
    """The parts of the external vector, float32 `[batch, n]` each."""
    times = inputs[features.TARGET_TIME]
    parts = []
    if config.transform.day_of_week:
        day = weekday(times)  # integer arithmetic, so the same function works on tensors
        parts.append(tf.one_hot(day, DAYS_PER_WEEK))
        parts.append(tf.cast(day < 5, tf.float32)[:, None])
    if config.transform.time_of_day:
        slot = times % MINUTES_PER_DAY // config.intervals.minutes
        parts.append(tf.one_hot(slot, config.intervals.per_day))
    off = tf.cast(weekday(times) >= 5, tf.float32)  # [batch]
    if config.ingest.holidays or config.transform.holiday_country:
        if config.ingest.holidays:
            holiday = tf.cast(inputs[features.HOLIDAY], tf.float32)
        else:
            holiday = _holiday(times, holidays, config)
        off = tf.maximum(off, holiday)
        parts.append(holiday[:, None])
    if config.transform.time_of_day_type:
        slot = times % MINUTES_PER_DAY // config.intervals.minutes
        slots = tf.one_hot(slot, config.intervals.per_day)
        parts += [slots * (1.0 - off[:, None]), slots * off[:, None]]
    if config.ingest.weather or config.ingest.weather_columns:
        known = tf.cast(inputs[features.WEATHER_KNOWN], tf.float32)[:, None]
    if config.ingest.weather:
        parts.append(known * tf.one_hot(inputs[features.WEATHER], features.WEATHER_KINDS))
        for name in (features.TEMPERATURE, features.WIND_SPEED):
            parts.append(known * _unit_scale(inputs[name][:, None], known > 0))
    if config.ingest.weather_columns:
        parts.append(known * _unit_scale(inputs[features.WEATHER_VALUES], known > 0))
    return parts


def _holiday(times: tf.Tensor, holidays: list[str], config: Config) -> tf.Tensor:
    """1 on a holiday, float32 `[batch]`; a time past the table's end fails, in training and serving."""
    last = dt.date.fromisoformat(config.transform.holidays_until)
    message = f"{PAST_TABLE.format(last)}. Received wall-clock minutes:"
    end = date_to_minutes(last + dt.timedelta(days=1))
    latest = tf.reduce_max(times)
    within = tf.debugging.Assert(latest < end, [message, latest])
    dates = [date_to_minutes(dt.date.fromisoformat(date)) for date in holidays]
    table = tf.constant(dates, tf.int64, [len(dates)])
    with tf.control_dependencies([within]):
        midnights = times - times % MINUTES_PER_DAY  # [batch]
    return tf.cast(tf.reduce_any(midnights[:, None] == table, axis=1), tf.float32)


def _unit_scale(values: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Scales each column to [0, 1] by the known values of the train split. `[batch, k]`; known `[batch, 1]`."""
    low = tft.min(tf.where(known, values, values.dtype.max), reduce_instance_dims=False)
    high = tft.max(tf.where(known, values, values.dtype.min), reduce_instance_dims=False)
    return tf.math.divide_no_nan(values - low, high - low)
