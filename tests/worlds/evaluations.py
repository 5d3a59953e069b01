"""Models of known errors, judged by TFMA as the Evaluator does."""

import math

import numpy as np
import pytest

from crowdflow.components.flow_schema.render import render
from crowdflow.config import Config
from crowdflow.schema import features, templates

SHAPE = (2, 3, 2, 2)  # [h, H, W, 2]
ACTIVE = 4
AROUND = (-3.0, -2.0, -1.0, 0.0, 0.5, 1.0, 4.0)  # quantiles less the flow
COUNT = 11
BEST = "last_week"
NOISE = {
    "last_interval": 3.0,
    "last_week": 1.0,
    "historical_average": 2.0,
    "four_weeks": 2.5,
    "weeks_and_days": 1.5,
}
# name: (candidate, baseline, naive margin, tolerance). A number f is a model whose every error is f times
# the best naive forecast's, None is that forecast's own SavedModel: there was no last pushed model.
CASES = {
    "better": (0.9, None, 0.0, 0.02),
    "equal_to_naive": (None, None, 0.0, 0.02),
    "misses_margin": (0.9, None, 0.15, 0.02),
    "within_tolerance": (0.9, 0.8825, 0.0, 0.02),
    "beyond_tolerance": (0.9, 0.8820, 0.0, 0.02),
    "same_as_pushed": (0.9, 0.9, 0.05, 0.0),
    "not_a_number": (math.nan, 0.9, 0.0, 0.02),
}


def make_config(case):
    _, _, margin, tolerance = CASES[case]
    return Config.from_dict(
        {
            "grid": {"rows": 3, "cols": 2},
            "windows": {
                "closeness": 1,
                "period": 0,
                "trend": 0,
                "horizon": 2,
                "average": 0,
                "average_days": 0,
            },
            "evaluation": {"naive_margin": margin, "pushed_tolerance": tolerance},
        }
    )


def make_columns():
    random = np.random.default_rng(8)
    truth = random.uniform(5, 30, (COUNT, *SHAPE)).astype(np.float32)
    columns = {
        features.TARGET: truth,
        features.CLOSENESS: truth[:, :1],
        features.TARGET_TIME: 16_335 * 1440 + 60 * np.arange(COUNT),
        features.HOUR: np.arange(COUNT) % 3 + 7,
        features.WEEKEND: (np.arange(COUNT) > 6).astype(np.int64),
        features.ACTIVE_CELLS: np.tile(np.arange(6).reshape(3, 2) < ACTIVE, (COUNT, 1, 1)).astype(
            np.int64
        ),
    }
    for name, noise in NOISE.items():
        forecast = truth + random.normal(0, noise, truth.shape)
        columns[features.naive_feature(name)] = forecast.astype(np.float32)
    return columns


def save_model(factor, folder):
    import tensorflow as tf

    from crowdflow.components.last_pushed_model.models import write_naive_model

    if factor is None:
        write_naive_model(BEST, SHAPE, folder)
        return
    naive = features.naive_feature(BEST)
    spec = {name: tf.io.FixedLenFeature(SHAPE, tf.float32) for name in (features.TARGET, naive)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def answer(examples):
        parsed = tf.io.parse_example(examples, spec)
        truth = parsed[features.TARGET]
        flow = truth + factor * (parsed[naive] - truth)
        spread = tf.constant(AROUND, tf.float32)
        return {features.FLOW: flow, features.QUANTILES: tf.maximum(flow[..., None] + spread, 0)}

    signatures = {features.EXAMPLES_SIGNATURE: answer}
    tf.saved_model.save(tf.Module(), folder, signatures=signatures)


@pytest.fixture(scope="session")
def columns():
    return make_columns()


@pytest.fixture(scope="session")
def evaluations(tmp_path_factory, columns):
    """Case -> folder of TFMA's output. One Beam pipeline runs them all, as the Evaluator runs one."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from tfx_bsl.public import tfxio

    from crowdflow.components.tf_examples import encode_columns
    from crowdflow.config.beam_runner import LocalRunner
    from crowdflow.evaluation.thresholds import BASELINE, CANDIDATE, eval_config

    folder = tmp_path_factory.mktemp("evaluation")
    for factor in {factor for case in CASES.values() for factor in case[:2]}:
        save_model(factor, str(folder / f"model-{factor}"))
    described = templates.parse(render(templates.WINDOWS, make_config("better")))
    source = tfxio.TFExampleBeamRecord(
        "tfrecord", schema=described, raw_record_column_name=tfma.ARROW_INPUT_COLUMN
    )
    with beam.Pipeline(LocalRunner()) as pipeline:
        windows = pipeline | beam.Create(encode_columns(columns)) | source.BeamSource()
        for case, factors in CASES.items():
            config = eval_config(make_config(case), "code")
            models = [
                tfma.default_eval_shared_model(
                    str(folder / f"model-{factor}"), model_name=name, eval_config=config
                )
                for name, factor in zip((CANDIDATE, BASELINE), factors)
            ]
            _ = windows | case >> tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=models,
                eval_config=config,
                output_path=str(folder / case),
                schema=described,
                tensor_adapter_config=source.TensorAdapterConfig(),
            )
    return {case: str(folder / case) for case in CASES}
