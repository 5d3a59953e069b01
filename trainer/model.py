"""ST-ResNet (Zhang, Zheng, Qi, AAAI 2017) in pure Keras 3, for any backend.

`h` is the horizon; `C = 2h`, inflow and outflow of each step. The paper's network is h = 1.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from crowdflow.config import ModelConfig, WindowConfig
from crowdflow.schema import features
from crowdflow.trainer.layers import (
    CityTotals,
    Convolution,
    FromUsual,
    HadamardFusion,
    LocalLinear,
    UsualTimesCommon,
    UsualTimesLevel,
)

# What each cell has of its own beside the weights of all; `training.cell_decay` draws them to zero.
CELL_WEIGHTS = {"local/kernel", "local_external/kernel", "local_external/bias"}


class _Builder:
    """Makes layers of one dtype policy, each with its own seed."""

    def __init__(self, dtype: str, seed: int):
        self.dtype = dtype
        self._seeds = np.random.default_rng(seed)

    def seed(self) -> int:
        return int(self._seeds.integers(2**31))

    def conv(self, x, filters: int, name: str, zero: bool = False):
        drawn = keras.initializers.GlorotUniform(seed=self.seed())
        kernel = "zeros" if zero else drawn
        layer = Convolution(filters, kernel_initializer=kernel, dtype=self.dtype, name=name)
        return layer(x)

    def relu(self, x, name: str):
        return layers.ReLU(dtype=self.dtype, name=name)(x)

    def dense(self, x, units: int, name: str, zero: bool = False):
        drawn = keras.initializers.GlorotUniform(seed=self.seed())
        kernel = "zeros" if zero else drawn
        return layers.Dense(units, kernel_initializer=kernel, dtype=self.dtype, name=name)(x)

    def batch_norm(self, x, name: str):
        # Keras' default of 0.99 lags behind for hundreds of steps, which are many epochs of a small city.
        return layers.BatchNormalization(momentum=0.9, dtype=self.dtype, name=name)(x)


def build_model(
    model: ModelConfig,
    windows: WindowConfig,
    rows: int,
    cols: int,
    external_size: int,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Builds ST-ResNet.

    Args:
      model: the architecture.
      windows: lengths of the branches (length 0 leaves one out), the average and the horizon h.
      rows: H.
      cols: W.
      external_size: E, length of the external vector; 0 if there is none.
      seed: seed of all initial weights.
      dtype: Keras dtype policy of the hidden layers; the output layers are always float32.

    Returns:
      A model from a dict, closeness `[batch, lc, H, W, 2]`, period `[batch, lp * h, H, W, 2]`, trend
      `[batch, lq * h, H, W, 2]`, average `[batch, h + lc, H, W, 2]` and external `[batch, E]`, to
      `[batch, h, H, W, 2]`, all float32 and scaled to [-1, 1].
    """
    build = _Builder(dtype, seed)
    horizon = windows.horizon
    channels = len(features.CHANNELS) * horizon
    inputs = {
        name: keras.Input((count, rows, cols, 2), name=name, dtype="float32")
        for name, count in windows.lag_maps().items()
    }
    branches = []
    for name, maps in inputs.items():
        if name == features.AVERAGE:
            continue
        if features.AVERAGE in inputs:
            # The average next to the lags; for closeness also the average at its lags.
            usual = inputs[features.AVERAGE]
            usual = usual if name == features.CLOSENESS else usual[:, :horizon]
            maps = layers.Concatenate(axis=1, name=f"{name}_and_usual")([maps, usual])
        branches.append(_branch(build, maps, model, channels, name))
    x = _fuse(build, branches, model)  # [batch, H, W, C]
    parts = [x]
    if model.external and external_size:
        inputs[features.EXTERNAL] = keras.Input((external_size,), name=features.EXTERNAL)
        parts.append(_external(build, inputs[features.EXTERNAL], model, (rows, cols, channels)))
    if model.local:
        parts += _local(build, inputs, model, (rows, cols, channels))
    if len(parts) > 1:
        x = layers.Add(dtype="float32", name="fusion_all")(parts)
    x = layers.Activation(model.head, dtype="float32", name="head")(x)  # [batch, H, W, C]
    x = layers.Reshape((rows, cols, horizon, 2), dtype="float32", name="steps")(x)
    x = layers.Permute((3, 1, 2, 4), dtype="float32", name=features.FLOW)(x)  # [batch, h, H, W, 2]
    return keras.Model(inputs, x, name="st_resnet")


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies weights, by name, to a network that differs in precision only."""
    values = {weight.path: weight for weight in source.weights}
    for weight in target.weights:
        weight.assign(values[weight.path])


def average(members: Sequence[keras.Model]) -> keras.Model:
    """The mean of the ensemble's members as one model; a single member as it is."""
    if len(members) == 1:
        return members[0]
    inputs = {name: keras.Input(x.shape[1:], name=name) for name, x in members[0].input.items()}
    for number, member in enumerate(members, 1):
        member.name = f"member_{number}"
    answers = [member(inputs) for member in members]  # [batch, h, H, W, 2] each
    return keras.Model(inputs, layers.Average(name=features.FLOW)(answers), name="ensemble")


def _branch(build: _Builder, x, model: ModelConfig, channels: int, name: str):
    """One branch, with its own weights: `[batch, lags, H, W, 2]` to `[batch, H, W, C]`."""
    x = _as_channels(x, name, build.dtype)
    x = build.conv(x, model.filters, f"{name}_conv_in")  # [batch, H, W, filters]
    for unit in range(1, model.residual_units + 1):
        shortcut = x
        for half in "ab":
            prefix = f"{name}_unit{unit}{half}"
            if model.batch_norm:
                x = build.batch_norm(x, f"{prefix}_norm")
            x = build.relu(x, f"{prefix}_relu")
            x = build.conv(x, model.filters, f"{prefix}_conv")
        x = layers.Add(dtype=build.dtype, name=f"{name}_unit{unit}_add")([shortcut, x])
    x = build.relu(x, f"{name}_relu_out")
    return build.conv(x, channels, f"{name}_conv_out", zero=model.local)  # [batch, H, W, C]


def _as_channels(x, name: str, dtype: str):
    """`[batch, n, H, W, 2]` to `[batch, H, W, 2 n]`."""
    _, maps, rows, cols, flows = x.shape
    # A plain reshape would mix cells with maps, so transpose first.
    x = layers.Permute((2, 3, 1, 4), dtype=dtype, name=f"{name}_transpose")(x)
    return layers.Reshape((rows, cols, maps * flows), dtype=dtype, name=f"{name}_channels")(x)


def _fuse(build: _Builder, branches: list, model: ModelConfig):
    if model.fusion == "hadamard":
        layer = HadamardFusion(model.fusion_init, build.seed(), dtype="float32", name="fusion")
        return layer(branches)
    if len(branches) == 1:
        return branches[0]
    return layers.Add(dtype="float32", name="fusion")(branches)


def _external(build: _Builder, x, model: ModelConfig, shape: tuple[int, int, int]):
    """The external component: `[batch, E]` to `[batch, H, W, C]`."""
    rows, cols, channels = shape
    x = build.dense(x, model.external_units, "external_hidden")
    x = build.relu(x, "external_relu")
    # Behind a ReLU, zero weights would never learn.
    zero = model.local and not model.external_relu
    x = build.dense(x, rows * cols * channels, "external_maps", zero)
    if model.external_relu:
        x = build.relu(x, "external_relu_out")
    return layers.Reshape(shape, dtype=build.dtype, name="external_reshape")(x)


def _local(build: _Builder, inputs: dict, model: ModelConfig, shape: tuple[int, int, int]) -> list:
    """The per-cell linear component: `[batch, H, W, C]` each.

    It is linear in a cell's maps, the city's totals in them and the external vector, with weights of all cells and
    each cell's deviations from them.

    It starts as the average, or as zero flow without one.
    """
    rows, cols, channels = shape
    lags = [inputs[name] for name in features.LAGS if name in inputs]  # the average is the last
    maps = layers.Concatenate(axis=1, dtype="float32", name="local_maps")(lags)
    common = [inputs[features.EXTERNAL]] if features.EXTERNAL in inputs else []
    parts, copied, levels, usual = [], None, [], 0
    if features.AVERAGE in inputs:
        average = inputs[features.AVERAGE]
        horizon = channels // len(features.CHANNELS)
        usual = average.shape[1]
        copied = len(features.CHANNELS) * (maps.shape[1] - usual)
        from_usual = FromUsual(horizon, usual - horizon, dtype="float32")
        maps = from_usual(maps)
        if features.CLOSENESS in inputs:
            known = inputs[features.CLOSENESS], average
            city = UsualTimesLevel(True, dtype="float32", name="city_level")(*known)
            cell = UsualTimesLevel(False, dtype="float32", name="cell_level")(*known)
            levels = [city, cell]
    else:
        maps = maps + 1.0  # from zero flow on
    common.append(CityTotals(usual, dtype="float32", name="city_totals")(maps))
    common = layers.Concatenate(dtype="float32", name="local_common")(common)
    if copied is not None:
        shared = UsualTimesCommon(horizon, dtype="float32", name="shared_external")
        parts.append(shared(average, common))
    x = layers.Concatenate(axis=1, dtype="float32", name="local_and_level")([maps, *levels])
    x = _as_channels(x, "local", "float32")
    parts.append(LocalLinear(channels, copied, dtype="float32", name="local")(x) - 1.0)
    x = layers.Dense(
        rows * cols * channels, kernel_initializer="zeros", dtype="float32", name="local_external"
    )(common)
    parts.append(layers.Reshape(shape, dtype="float32", name="local_reshape")(x))
    return parts
