"""The exported SavedModel, called in a process that has none of our code."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from worlds.small_models import graph_of

from crowdflow.components.tf_examples import encode_columns
from crowdflow.schema import features
from crowdflow.schema.features import ACCOUNT_FILE
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.model import build_model
from crowdflow.trainer.signatures import export

SHAPE = (2, 4, 3, 2)  # [h, H, W, 2] of the tiny world
LOW, HIGH = 2.0, 40.0  # of its train part
EXTERNAL = 7 + 1 + 24 + 1 + 48 + 17 + 2

STRANGER = """
import importlib.abc, json, sys

class Wall(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "crowdflow":
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Wall())
import numpy as np, tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
given = dict(np.load(sys.argv[2]))
examples = [bytes.fromhex(text) for text in json.load(open(sys.argv[3]))]
dense = model.signatures["serving_default"](**{k: tf.constant(v) for k, v in given.items()})
parsed = model.signatures["serving_examples"](examples=tf.constant(examples))
one = model.signatures["serving_default"](**{k: tf.constant(v[:1]) for k, v in given.items()})
assert [list(answer) for answer in (dense, parsed, one)] == [["flow"]] * 3
np.savez(sys.argv[4], dense=dense["flow"], examples=parsed["flow"], one=one["flow"])
loaded = {name.split(".")[0] for name in sys.modules}
assert not loaded & {"crowdflow", "tensorflow_transform", "tfx", "tfx_bsl"}
"""


@pytest.fixture(scope="module")
def model(world):
    """Weights drawn at random; a bias times the fusion weights of either sign makes some flows negative."""
    config = world.config
    built = build_model(config.model, config.windows, *SHAPE[1:3], EXTERNAL)
    random = np.random.default_rng(5)
    for weight in built.weights:
        low = 0.2 if "variance" in weight.path else -0.3
        weight.assign(random.uniform(low, 0.3, weight.shape).astype(np.float32))
    bias = built.get_layer("closeness_conv_out").bias
    bias.assign(np.full(bias.shape, 6, np.float32))
    return built


@pytest.fixture(scope="module")
def exported(world, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "Format-Serving"
    export(model, world.graph, LOW, HIGH, world.config, {"seed": 7}, str(folder), world.raw["eval"])
    return folder


def flows(model, raw, external):
    """The forecast in trips by numpy, around the network alone."""
    scaled = {n: 2 * (raw[n].astype(np.float64) - LOW) / (HIGH - LOW) - 1 for n in features.LAGS}
    inputs = {n: v.astype(np.float32) for n, v in {**scaled, features.EXTERNAL: external}.items()}
    out = keras.ops.convert_to_numpy(model(inputs, training=False)).astype(np.float64)
    return (out + 1) / 2 * (HIGH - LOW) + LOW


def test_a_stranger_gets_the_same_flows_from_both_signatures(
    world, model, exported, external_reference, tmp_path
):
    raw = world.raw["test"]
    given = {name: raw[name] for name in raw_inputs(world.config)}
    np.savez(tmp_path / "given.npz", **given)
    texts = [example.hex() for example in encode_columns(given)]
    (tmp_path / "examples.json").write_text(json.dumps(texts))
    names = [exported, tmp_path / "given.npz", tmp_path / "examples.json", tmp_path / "out.npz"]
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    run = subprocess.run(
        [sys.executable, "-I", script, *names], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    got = np.load(tmp_path / "out.npz")
    count = len(raw["target"])
    assert got["dense"].shape == (count, *SHAPE) and got["dense"].dtype == np.float32
    np.testing.assert_allclose(got["examples"], got["dense"], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(got["one"], got["dense"][:1], rtol=1e-5, atol=1e-5)

    # The exported graph's own prediction, in this process.
    loaded = tf.saved_model.load(str(exported))
    here = loaded.signatures["serving_default"](**{k: tf.constant(v) for k, v in given.items()})
    np.testing.assert_allclose(got["dense"], here["flow"], rtol=1e-5)

    # And numpy's scaling and calendar around the Keras model.
    expected = flows(model, raw, external_reference(raw, world.config, world.raw["train"]))
    assert (expected < -1).any() and (expected > HIGH / 4).any()
    np.testing.assert_allclose(got["dense"], np.maximum(expected, 0), rtol=1e-5, atol=1e-4)
    assert got["dense"].min() == 0


def test_extra_features_of_a_window_do_not_matter(world, exported):
    """The Evaluator's examples carry target and naive forecasts, a client's do not."""
    raw = world.raw["eval"]
    answer = tf.saved_model.load(str(exported)).signatures["serving_examples"]
    bare = encode_columns({name: raw[name] for name in raw_inputs(world.config)})
    np.testing.assert_array_equal(
        answer(tf.constant(bare))["flow"], answer(tf.constant(encode_columns(raw)))["flow"]
    )


def described(tensors):
    return {
        name: (tf.dtypes.as_dtype(t.dtype).name, [d.size for d in t.tensor_shape.dim])
        for name, t in tensors.items()
    }


def test_names_types_and_shapes_of_the_signatures(exported):
    signatures = graph_of(exported).signature_def
    flow = {"flow": ("float32", [-1, *SHAPE])}
    maps = {"closeness": 3, "period": 2, "trend": 2, "average": 2 + 3}
    dense = signatures["serving_default"]
    assert described(dense.inputs) == {
        **{name: ("float32", [-1, lags, 4, 3, 2]) for name, lags in maps.items()},
        "target_time": ("int64", [-1]),
        "holiday": ("int64", [-1]),
        "weather": ("int64", [-1]),
        "temperature": ("float32", [-1]),
        "wind_speed": ("float32", [-1]),
        "weather_known": ("int64", [-1]),
    }
    assert described(signatures["serving_examples"].inputs) == {"examples": ("string", [-1])}
    assert described(signatures["account"].inputs) == {"query": ("string", [-1])}
    assert described(signatures["account"].outputs) == {"account": ("string", [-1])}
    for name in ("serving_default", "serving_examples"):
        assert described(signatures[name].outputs) == flow
        assert signatures[name].method_name == "tensorflow/serving/predict"


def test_only_what_the_configuration_has_is_asked_for(world):
    settings = {"ingest.weather": False, "windows.period": 0}
    settings |= {"windows.average": 0, "windows.average_days": 0}
    assert raw_inputs(world.config.replace(settings)) == [
        "closeness",
        "trend",
        "target_time",
        "holiday",
    ]


def test_the_account_is_beside_the_model(exported):
    assert json.loads((exported / ACCOUNT_FILE).read_text()) == {"seed": 7}


def test_the_model_says_the_same_of_itself_to_any_query(exported):
    ask = tf.saved_model.load(str(exported)).signatures["account"]
    texts = ask(query=tf.constant(["", "who are you?"]))["account"].numpy()
    assert [json.loads(text) for text in texts] == [{"seed": 7}] * 2


BAD_VALUES = {
    "closeness": [np.nan, np.inf, -1.0, 10_001.0],
    "period": [np.nan, -0.5],
    "trend": [-np.inf, 1e9],
    "average": [np.nan, -0.1],
    "target_time": [-60, 90, 2**40],
    "holiday": [-1, 2],
    "weather": [-1, 17],
    "temperature": [np.nan, -101.0, 201.0],
    "wind_speed": [-0.1, np.inf],
    "weather_known": [2],
}


@pytest.mark.parametrize("signature", ["serving_default", "serving_examples"])
def test_a_value_outside_the_data_contract_is_refused_by_name(world, exported, signature):
    answer = tf.saved_model.load(str(exported)).signatures[signature]

    def ask(given):
        if signature == "serving_examples":
            return answer(examples=tf.constant(encode_columns(given)))["flow"]
        return answer(**{name: tf.constant(values) for name, values in given.items()})["flow"]

    good = {name: world.raw["test"][name] for name in raw_inputs(world.config)}
    assert set(BAD_VALUES) == set(good)
    assert np.isfinite(ask(good)).all()
    for name, values in BAD_VALUES.items():
        for value in values:
            given = good | {name: good[name].copy()}
            given[name].reshape(-1)[-1] = value
            with pytest.raises(
                tf.errors.InvalidArgumentError, match=f"{name}: expected .*Received"
            ):
                ask(given)


def test_more_windows_than_a_server_should_hold_are_refused(world, exported):
    answer = tf.saved_model.load(str(exported)).signatures["serving_default"]
    one = {name: world.raw["test"][name][:1] for name in raw_inputs(world.config)}

    def ask(count):
        return answer(**{n: tf.constant(np.repeat(v, count, axis=0)) for n, v in one.items()})

    assert ask(features.MAX_BATCH)["flow"].shape[0] == features.MAX_BATCH
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1024 windows.*1025"):
        ask(features.MAX_BATCH + 1)


def test_warm_up_requests_are_windows_that_the_model_answers(world, exported):
    [path] = (exported / "assets.extra").glob("tf_serving_warmup_requests")
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    answer = tf.saved_model.load(str(exported)).signatures["serving_default"]
    sizes = []
    for record in records:
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "crowdflow"
        assert request.model_spec.signature_name == "serving_default"
        given = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        assert {name: values.dtype for name, values in given.items()} == {
            name: world.raw["eval"][name].dtype for name in raw_inputs(world.config)
        }
        flow = answer(**{name: tf.constant(values) for name, values in given.items()})["flow"]
        sizes.append(len(flow))
    assert sizes == [1, 16]
