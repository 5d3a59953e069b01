"""Every layer of the network against plain numpy."""

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
    random_inputs,
    randomise,
)

from crowdflow.trainer.model import build_model


def _conv(x, kernel, bias):
    rows, cols = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    out = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for up in range(3):
        for left in range(3):
            out += padded[:, up : up + rows, left : left + cols] @ kernel[up, left]
    return out + bias


def reference(model, inputs, architecture, horizon):
    """The paper's network in float64 numpy, from the model's weights by layer name."""
    layers = {
        layer.name: [w.astype(np.float64) for w in layer.get_weights()] for layer in model.layers
    }
    branches, usual = [], inputs.get("average")
    for name in ("closeness", "period", "trend"):
        if name not in inputs:
            continue
        lags = inputs[name].astype(np.float64)  # [n, lags, H, W, 2]
        if usual is not None:
            beside = usual if name == "closeness" else usual[:, :horizon]
            lags = np.concatenate([lags, beside], axis=1)
        x = np.concatenate(list(np.moveaxis(lags, 1, 0)), axis=-1)
        x = _conv(x, *layers[f"{name}_conv_in"])
        for unit in range(1, architecture.residual_units + 1):
            shortcut = x
            for half in "ab":
                prefix = f"{name}_unit{unit}{half}"
                if architecture.batch_norm:
                    gamma, beta, mean, variance = layers[f"{prefix}_norm"]
                    x = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
                x = _conv(np.maximum(x, 0), *layers[f"{prefix}_conv"])
            x = x + shortcut
        branches.append(_conv(np.maximum(x, 0), *layers[f"{name}_conv_out"]))
    weights = layers["fusion"] if architecture.fusion == "hadamard" else [1.0] * len(branches)
    x = sum(w * branch for w, branch in zip(weights, branches))
    if "external" in inputs:
        kernel, bias = layers["external_hidden"]
        hidden = np.maximum(inputs["external"] @ kernel + bias, 0)
        kernel, bias = layers["external_maps"]
        maps = hidden @ kernel + bias
        if architecture.external_relu:
            maps = np.maximum(maps, 0)
        x = x + maps.reshape(x.shape)
    if architecture.local:
        x = x + local_reference(layers, inputs, horizon)
    if architecture.head == "tanh":
        x = np.tanh(x)
    steps = [x[..., 2 * step : 2 * step + 2] for step in range(horizon)]
    return np.stack(steps, axis=1)


def local_reference(layers, inputs, horizon):
    """The local component, cell by cell, in loops."""
    names = [n for n in ("closeness", "period", "trend", "average") if n in inputs]
    maps, totals = [], []
    for name in names:
        for number, flows in enumerate(np.moveaxis(inputs[name].astype(np.float64), 1, 0)):
            usual = -1.0  # no flow
            if "average" in inputs and name != "average":
                at = horizon + number if name == "closeness" else number % horizon
                usual = inputs["average"][:, at]
            maps.append(flows - usual)
            # Half, for the range is -1 to 1; of deviations and lags ten times that.
            factor = 0.5 if name == "average" else 5
            totals.append(maps[-1].sum(axis=(1, 2)) * factor / np.sqrt(ROWS * COLS))
    city, cell = [], []
    if "average" in inputs and "closeness" in inputs:
        lags = inputs["closeness"].shape[1]
        for lag in range(lags):
            now = inputs["closeness"][:, lag] + 1.0  # [n, H, W, 2]
            then = inputs["average"][:, horizon + lag] + 1.0
            for step in range(horizon):
                usual = inputs["average"][:, step] + 1.0
                both = [x.sum(axis=(1, 2, 3))[:, None, None, None] + 0.5 for x in (now, then)]
                city.append(usual * (both[0] / both[1] - 1))
                cell.append(usual * ((now + 0.04) / (then + 0.04) - 1))
    maps += city + cell
    known = np.concatenate(maps, axis=-1)  # [n, H, W, I]
    shared, own = layers["local"]
    out = np.zeros((*known.shape[:3], shared.shape[-1]))
    for row in range(ROWS):
        for col in range(COLS):
            out[:, row, col] = known[:, row, col] @ (shared + own[row, col]) - 1
    common = [inputs["external"]] if "external" in inputs else []
    common += totals
    common = np.concatenate(common, axis=1)
    if "average" in inputs:
        [weights] = layers["shared_external"]
        share = common @ weights  # [n, C]
        for step in range(horizon):
            for flow in range(2):
                channel = 2 * step + flow
                usual = inputs["average"][:, step, :, :, flow] + 1.0
                out[..., channel] += usual * share[:, channel, None, None]
    weights, bias = layers["local_external"]
    return out + (common @ weights + bias).reshape(out.shape)


ARCHITECTURES = {
    "paper": ({}, HORIZON_1, EXTERNAL),
    "batch_norm": ({"batch_norm": True, "residual_units": 2, "head": "linear"}, HORIZON_2, 0),
    "sum": ({"fusion": "sum", "external_relu": False}, HORIZON_2, EXTERNAL),
    "no_units": ({"residual_units": 0, "head": "linear"}, paper.lags(1, 1, 0, 3), EXTERNAL),
    "local": (LOCAL, paper.lags(3, 2, 1, average=4), EXTERNAL),
    "local_steps": (LOCAL | {"batch_norm": True}, paper.lags(2, 1, 1, 3, average=2), EXTERNAL),
    "local_without_average": (LOCAL, HORIZON_2, 0),
    "average_without_local": ({"head": "linear"}, paper.lags(2, 1, 0, 2, average=3), EXTERNAL),
    "one_branch": ({"fusion": "sum", "head": "linear"}, paper.lags(0, 0, 2), 0),
}


@pytest.mark.parametrize("case", ARCHITECTURES)
def test_forward_pass_equals_plain_numpy(case):
    settings, windows, external = ARCHITECTURES[case]
    architecture = paper.network(**{"residual_units": 1, "filters": 8, **settings})
    model = build_model(architecture, windows, ROWS, COLS, external)
    randomise(model)
    inputs = random_inputs(model)
    expected = reference(model, inputs, architecture, windows.horizon)
    got = answer(model, inputs)
    assert got.dtype == np.float32 and np.std(expected) > 0.05
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
