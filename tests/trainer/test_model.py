"""The network: which cell, step and direction a value comes out at, and how it starts."""

import ast
import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from worlds import paper
from worlds.small_models import (
    COLS,
    EXTERNAL,
    HORIZON_1,
    HORIZON_2,
    LOCAL,
    ROWS,
    answer,
    build,
    random_inputs,
    randomise,
)

from crowdflow.config import ModelConfig, WindowConfig
from crowdflow.pipeline.fingerprint import closure
from crowdflow.trainer.model import average, build_model, copy_weights


def make_identity(model):
    """Hidden channel k copies lag channel k, output channel k copies hidden channel k."""
    for layer in model.layers:
        if "conv" in layer.name:
            kernel = np.zeros(layer.kernel.shape, np.float32)
            if layer.name.endswith(("conv_in", "conv_out")):
                for channel in range(min(kernel.shape[2:])):
                    kernel[1, 1, channel, channel] = 1
            layer.set_weights([kernel, np.zeros(kernel.shape[-1], np.float32)])
        elif layer.name == "fusion":
            layer.set_weights([np.ones(w.shape, np.float32) for w in layer.weights])


@pytest.mark.parametrize("windows", [HORIZON_1, HORIZON_2], ids=["1_step", "2_steps"])
@pytest.mark.parametrize("branch", ["closeness", "period", "trend"])
def test_a_hot_cell_comes_out_at_the_same_cell_step_and_direction(windows, branch):
    model = build(windows, filters=16)
    make_identity(model)
    cells = [
        (lag, row, col, flow)
        for lag in range(windows.horizon)
        for row in range(ROWS)
        for col in range(COLS)
        for flow in range(2)
    ]
    inputs = {name: np.zeros((len(cells), *t.shape[1:])) for name, t in model.input.items()}
    expected = np.zeros((len(cells), windows.horizon, ROWS, COLS, 2))
    for sample, (lag, row, col, flow) in enumerate(cells):
        inputs[branch][sample, lag, row, col, flow] = 0.7
        # The identity leads lag k, most recent first, to step k, channels inflow then outflow.
        expected[sample, lag, row, col, flow] = 0.7
    np.testing.assert_allclose(answer(model, inputs), expected, atol=1e-6)


@pytest.mark.parametrize("branch", ["closeness", "period", "trend"])
def test_every_lag_has_channels_of_its_own(branch):
    model = build(HORIZON_2, filters=16)
    make_identity(model)
    lags = model.input[branch].shape[1]
    conv_in = model.get_layer(f"{branch}_conv_in")
    for lag in range(lags):
        kernel = np.zeros(conv_in.kernel.shape, np.float32)
        kernel[1, 1, lag * 2 + 1, 0] = 1  # the lag's outflow to step 1's inflow
        conv_in.set_weights([kernel, np.zeros(16, np.float32)])
        inputs = {name: np.zeros((1, *t.shape[1:])) for name, t in model.input.items()}
        inputs[branch][0, :, 3, 1, 1] = 0.1 + 0.1 * np.arange(lags)
        expected = np.zeros((1, 2, ROWS, COLS, 2))
        expected[0, 0, 3, 1, 0] = 0.1 + 0.1 * lag
        np.testing.assert_allclose(answer(model, inputs), expected, atol=1e-6)


@pytest.mark.parametrize("horizon", [1, 3])
def test_training_with_the_local_component_starts_from_the_average(horizon):
    windows = WindowConfig(3, 1, 1, horizon, average=4)
    model = build(windows, EXTERNAL, **LOCAL)
    inputs = random_inputs(model)
    np.testing.assert_allclose(answer(model, inputs), inputs["average"][:, :horizon], atol=1e-6)


def test_an_ensemble_answers_the_mean_of_its_members():
    members = [build(HORIZON_2, EXTERNAL, seed) for seed in (1, 2, 3)]
    inputs = random_inputs(members[0])
    expected = np.mean([answer(member, inputs) for member in members], axis=0)
    np.testing.assert_allclose(answer(average(members), inputs), expected, atol=1e-6)
    assert average(members[:1]) is members[0]


def test_branches_have_weights_of_their_own():
    model = build(paper.lags(2, 2, 2))
    paths = [weight.path for weight in model.weights]
    assert len(paths) == len(set(paths))
    counts = {b: sum(p.startswith(b) for p in paths) for b in ("closeness", "period", "trend")}
    assert counts == {"closeness": 8, "period": 8, "trend": 8}
    inputs = random_inputs(model)
    before = answer(model, inputs)
    kernels = [model.get_layer(f"{b}_conv_in").get_weights()[0] for b in counts]
    assert not np.allclose(kernels[0], kernels[1]) and not np.allclose(kernels[1], kernels[2])
    silent = model.get_layer("period_conv_out")
    silent.set_weights([np.zeros(w.shape) for w in silent.get_weights()])
    after = answer(model, inputs)
    inputs["period"] = -inputs["period"]
    np.testing.assert_array_equal(answer(model, inputs), after)
    assert not np.allclose(before, after)


def test_a_branch_of_length_0_is_absent():
    model = build(paper.lags(closeness=2, period=0, trend=1), external=EXTERNAL)
    assert list(model.input) == ["closeness", "trend", "external"]
    assert not [layer.name for layer in model.layers if layer.name.startswith("period")]
    assert len(model.get_layer("fusion").weights) == 2


@pytest.mark.parametrize("size, wanted", [(0, True), (EXTERNAL, False)])
def test_no_external_component_without_sources_or_where_it_is_off(size, wanted):
    model = build_model(paper.network(external=wanted), paper.lags(), ROWS, COLS, size)
    assert list(model.input) == ["closeness", "period", "trend"]


def test_the_authors_relu_can_only_add():
    for relu in (True, False):
        model = build(paper.lags(1, 0, 0), external=EXTERNAL, external_relu=relu)
        randomise(model)
        inputs = random_inputs(model, 20)
        with_external = answer(model, inputs)
        maps = model.get_layer("external_maps")
        maps.set_weights([np.zeros(w.shape) for w in maps.get_weights()])
        added = with_external - answer(model, inputs)
        assert added.max() > 0.1
        assert added.min() >= -1e-6 if relu else added.min() < -0.1


def test_fusion_starts_as_configured():
    windows = paper.lags(1, 1, 1)
    for weight in build(windows, fusion_init="mean").get_layer("fusion").weights:
        np.testing.assert_allclose(weight, 1 / 3, rtol=1e-6)
    uniform = [np.asarray(w) for w in build(windows).get_layer("fusion").weights]
    assert all(w.shape == (ROWS, COLS, 2) for w in uniform)
    drawn = np.stack(uniform)
    assert 0 <= drawn.min() < 0.1 and 0.9 < drawn.max() < 1 and abs(drawn.mean() - 0.5) < 0.1
    assert not np.allclose(uniform[0], uniform[1])


def test_the_seed_alone_decides_the_initial_weights():
    first, again, other = (build(HORIZON_1, EXTERNAL, seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    drawn = [(a, c) for a, c in zip(first, other) if np.any(a)]  # biases start at zero
    assert len(drawn) == 3 * 4 + 3 + 2
    assert not any(np.allclose(a, c) for a, c in drawn)
    kernels = [a[0, 0, 0, :4] for a, _ in drawn if a.ndim == 4]
    assert len({tuple(k.tolist()) for k in kernels}) == len(kernels)


def test_the_same_weights_serve_both_precisions():
    windows = WindowConfig(4, 1, 2, 2, average=2)
    low = build(windows, EXTERNAL, dtype="mixed_bfloat16", batch_norm=True, local=True)
    full = build(windows, EXTERNAL, seed=9, batch_norm=True, local=True)
    randomise(low)
    copy_weights(low, full)
    assert low.get_layer("closeness_conv_in").compute_dtype == "bfloat16"
    assert low.output.dtype == full.output.dtype == "float32"
    assert {str(w.dtype) for w in low.weights} == {"float32"}
    inputs = random_inputs(low)
    difference = answer(low, inputs) - answer(full, inputs)
    assert 0 < np.abs(difference).max() < 0.1


def test_the_model_can_be_saved_and_loaded(tmp_path):
    model = build(HORIZON_1, EXTERNAL)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inputs = random_inputs(model)
    np.testing.assert_array_equal(answer(loaded, inputs), answer(model, inputs))


def test_no_tensorflow_in_the_model_and_what_it_imports():
    modules = closure("crowdflow.trainer.model")
    assert {
        "crowdflow.trainer.model",
        "crowdflow.schema.features",
        "crowdflow.config.config",
    } <= set(modules)
    for name, path in modules.items():
        if name == "crowdflow.components.artifacts":  # loaded at first use, by the name of a type
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module] if isinstance(node, ast.ImportFrom) else []
            tops = {name.split(".")[0] for name in imported}
            assert not tops & {"tensorflow", "tf_keras", "tensorflow_transform", "tfx"}, path


JAX_FORWARD = """
import sys
import keras, numpy as np
from crowdflow.config import ModelConfig, WindowConfig
from crowdflow.trainer.model import build_model
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
given = np.load(sys.argv[1])
windows = WindowConfig(3, 2, 1, average=0, average_days=0)
network = ModelConfig(residual_units=1, filters=8, local=False)
model = build_model(network, windows, 5, 4, 6)
model.set_weights([given[f"weight_{i}"] for i in range(len(model.weights))])
inputs = {name: given[name] for name in model.input}
np.save(sys.argv[2], model.predict(inputs, verbose=0))
"""


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="JAX is not installed")
def test_the_same_file_runs_on_jax(tmp_path):
    network = ModelConfig(residual_units=1, filters=8, local=False)
    model = build_model(network, HORIZON_1, ROWS, COLS, EXTERNAL)
    randomise(model)
    inputs = random_inputs(model)
    weights = {f"weight_{i}": w for i, w in enumerate(model.get_weights())}
    np.savez(tmp_path / "given.npz", **inputs, **weights)
    subprocess.run(
        [sys.executable, "-c", JAX_FORWARD, tmp_path / "given.npz", tmp_path / "out.npy"],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        check=True,
    )
    expected = answer(model, inputs)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-4)
