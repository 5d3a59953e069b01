"""A weather table's values and the table of public holidays, in the Transform graph and in the pushed model."""

import datetime as dt
import json

import numpy as np
import pytest
import tensorflow as tf

from crowdflow.components.tf_examples import encode_columns
from crowdflow.config import Config
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.ingest.covariates import side_files
from crowdflow.schema import features, intervals
from crowdflow.schema.errors import DataError
from crowdflow.trainer import input_fn
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.model import build_model
from crowdflow.trainer.signatures import export

CALENDAR = 7 + 1 + 24
EXTERNAL = (
    CALENDAR + 1 + 48 + 2
)  # weekday, slot, holiday, slot by type of day, two columns of weather
LAST_MINUTE = intervals.date_to_minutes(dt.date(2015, 1, 1)) - 1  # of the table


@pytest.fixture(scope="module")
def external(table_world):
    """A function: target times, and other features, -> the external vector `[n, E]`."""
    layer = table_world.graph.transform_features_layer()
    raw = {name: table_world.raw["test"][name] for name in raw_inputs(table_world.config)}
    raw[features.TARGET] = table_world.raw["test"][features.TARGET]

    def answer(times, **others):
        given = {name: np.repeat(values[:1], len(times), axis=0) for name, values in raw.items()}
        given |= {features.TARGET_TIME: np.asarray(times, np.int64), **others}
        return layer({name: tf.constant(v) for name, v in given.items()})["external"].numpy()

    return answer


@pytest.fixture(scope="module")
def exported(table_world, tmp_path_factory):
    config = table_world.config
    model = build_model(config.model, config.windows, 4, 3, EXTERNAL)
    folder = tmp_path_factory.mktemp("export") / "model"
    warmup = table_world.raw["eval"]
    export(model, table_world.graph, 0.0, 10.0, config, {}, str(folder), warmup)
    return tf.saved_model.load(str(folder)).signatures


def test_every_day_is_a_holiday_or_not_as_the_package_and_a_file_say(
    table_world, external, tmp_path
):
    days = np.arange(intervals.date_to_minutes(dt.date(2012, 1, 1)), LAST_MINUTE, 1440)
    flags = external(days + 23 * 60 + 59)[:, CALENDAR]
    dates = [str(intervals.minutes_to_date(day)) for day in days]
    known = holiday_dates(table_world.config.transform)
    assert [d for d, flag in zip(dates, flags) if flag] == [d for d in known if d >= "2012"]
    assert set(flags) == {0, 1} and flags.sum() > 36
    (tmp_path / "days.txt").write_text("\n".join(d.replace("-", "") for d in known))
    table = side_files.read_holidays([str(tmp_path / "days.txt")])
    found = side_files.covariates(days, table, None, 24.0)
    np.testing.assert_array_equal(found[features.HOLIDAY], flags)


def test_values_are_scaled_column_by_column_by_the_known_ones_of_train(table_world, external):
    train, test = table_world.raw["train"], table_world.raw["test"]
    seen = train[features.WEATHER_VALUES][train[features.WEATHER_KNOWN] == 1]
    low, high = seen.min(axis=0), seen.max(axis=0)
    known = test[features.WEATHER_KNOWN]
    found = external(
        test[features.TARGET_TIME],
        **{name: test[name] for name in (features.WEATHER_VALUES, features.WEATHER_KNOWN)},
    )
    assert found.shape == (len(known), EXTERNAL)
    expected = (test[features.WEATHER_VALUES] - low) / (high - low) * known[:, None]
    np.testing.assert_allclose(found[:, -2:], expected, atol=1e-6)
    assert (known == 0).any() and (known == 1).any()


def test_a_caller_gives_no_holiday_and_all_of_the_weather(table_world):
    assert raw_inputs(table_world.config)[-3:] == ["target_time", "weather_values", "weather_known"]
    every = table_world.config.replace({"ingest.weather_columns": []})
    assert raw_inputs(every)[-1] == "target_time"


@pytest.mark.parametrize("signature", [features.DENSE_SIGNATURE, features.EXAMPLES_SIGNATURE])
def test_the_model_answers_to_the_last_interval_of_its_table_and_fails_past_it(
    table_world, exported, signature
):
    raw = {name: table_world.raw["test"][name][:3] for name in raw_inputs(table_world.config)}

    def ask(times):
        given = raw | {features.TARGET_TIME: np.array(times, np.int64)}
        if signature == features.EXAMPLES_SIGNATURE:
            return exported[signature](examples=tf.constant(encode_columns(given)))["flow"]
        return exported[signature](**{n: tf.constant(v) for n, v in given.items()})["flow"]

    last = LAST_MINUTE - 59
    inside = [last - 60, last, last - 525_600]
    assert ask(inside).shape == (3, 2, 4, 3, 2)
    message = f"past 2014-12-31, the last date .*holidays_until.*{last + 60}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ask([last, last + 60, last])


def test_training_past_the_table_ends_with_one_message(table_world, tmp_path):
    files = [path for pattern in table_world.files("test") for path in tf.io.gfile.glob(pattern)]
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(tmp_path / "late"), options) as writer:
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            example.features.feature[features.TARGET_TIME].int64_list.value[:] = [LAST_MINUTE + 1]
            writer.write(example.SerializeToString())
    with pytest.raises(
        DataError, match="^[^\n]*late: target_time is past 2014-12-31.*train again.$"
    ):
        input_fn.load_splits(
            {"test": [str(tmp_path / "late")]}, table_world.graph, table_world.config
        )


def test_transform_is_keyed_by_the_dates():
    pytest.importorskip("tfx")
    from crowdflow.pipeline.pipeline import create_pipeline

    def custom_config(**settings):
        config = Config().replace({f"transform.{name}": value for name, value in settings.items()})
        pipeline = create_pipeline(
            name="n", root="/r", config=config, data=["d"], serving_folder="/s", checkpoints="/c"
        )
        [node] = [node for node in pipeline.components if node.id == "Transform"]
        return json.loads(node.exec_properties["custom_config"])["holidays"]

    assert custom_config() == []
    found = custom_config(holiday_country="US", holidays_until="1971-01-01")
    assert found[0] == "1970-01-01" and found[-1] == "1971-01-01" and "1970-07-04" in found
