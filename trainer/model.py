"""ST-ResNet (Zhang, Zheng, Qi, AAAI 2017) in pure Keras 3: no TensorFlow in it, any backend runs it.

`h` is the horizon; `C = 2h`, inflow and outflow of each step. The paper's network is h = 1.
"""

import keras
from keras import layers, ops

from pipeline.config import ModelConfig, WindowConfig
from trainer import features


@keras.saving.register_keras_serializable("crowdflow")
class HadamardFusion(layers.Layer):
    """Sum of the branches, each times a learnt weight a cell and channel (paper, eq. 5).

    Args:
      init: `uniform` draws the weights from [0, 1), as the authors do; `mean` starts as the branches' mean.
      seed: of the draw.
    """

    def __init__(self, init: str = "uniform", seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.init = init
        self.seed = seed

    def build(self, input_shape):
        for index, shape in enumerate(input_shape):
            if self.init == "mean":
                initializer = keras.initializers.Constant(1.0 / len(input_shape))
            else:
                initializer = keras.initializers.RandomUniform(0.0, 1.0, seed=self.seed + index)
            self.add_weight(shape=shape[1:], initializer=initializer, name=f"weight_{index}")

    def call(self, inputs):
        # [batch, H, W, C] each
        return sum(ops.multiply(x, w) for x, w in zip(inputs, self.weights, strict=True))

    def get_config(self):
        return {**super().get_config(), "init": self.init, "seed": self.seed}


class _Builder:
    """Makes layers of one dtype policy, each with a seed of its own."""

    def __init__(self, dtype: str, seed: int):
        self.dtype = dtype
        self._seed = seed * 1_000

    def seed(self) -> int:
        self._seed += 10
        return self._seed

    def conv(self, x, filters: int, name: str):
        kernel = keras.initializers.GlorotUniform(seed=self.seed())
        layer = layers.Conv2D(
            filters, 3, padding="same", kernel_initializer=kernel, dtype=self.dtype, name=name
        )
        return layer(x)

    def relu(self, x, name: str):
        return layers.ReLU(dtype=self.dtype, name=name)(x)

    def dense(self, x, units: int, name: str):
        kernel = keras.initializers.GlorotUniform(seed=self.seed())
        return layers.Dense(units, kernel_initializer=kernel, dtype=self.dtype, name=name)(x)

    def batch_norm(self, x, name: str):
        # Keras' own 0.99 lags behind for hundreds of steps, many epochs of a small city.
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
      windows: lengths of the branches (one of length 0 is left out) and the horizon h.
      rows: H.
      cols: W.
      external_size: E, length of the external vector; 0 where there is none.
      seed: of all initial weights.
      dtype: Keras dtype policy of the hidden layers; the head is always float32.

    Returns:
      A model from a dict, closeness `[batch, lc, H, W, 2]`, period `[batch, lp * h, H, W, 2]`, trend
      `[batch, lq * h, H, W, 2]` and external `[batch, E]`, to `[batch, h, H, W, 2]`, all float32 and scaled
      to [-1, 1].
    """
    build = _Builder(dtype, seed)
    horizon = windows.horizon
    channels = len(features.CHANNELS) * horizon
    lengths = (windows.closeness, windows.period * horizon, windows.trend * horizon)
    inputs, branches = {}, []
    for name, length in zip(features.LAGS, lengths, strict=True):
        if length:
            inputs[name] = keras.Input((length, rows, cols, 2), name=name, dtype="float32")
            branches.append(_branch(build, inputs[name], model, channels, name))
    x = _fuse(build, branches, model)  # [batch, H, W, C]
    if model.external and external_size:
        inputs[features.EXTERNAL] = keras.Input((external_size,), name=features.EXTERNAL)
        external = _external(build, inputs[features.EXTERNAL], model, (rows, cols, channels))
        x = layers.Add(dtype="float32", name="fusion_external")([x, external])
    x = layers.Activation(model.head, dtype="float32", name="head")(x)  # [batch, H, W, C]
    x = layers.Reshape((rows, cols, horizon, 2), dtype="float32", name="steps")(x)
    x = layers.Permute((3, 1, 2, 4), dtype="float32", name=features.FLOW)(x)  # [batch, h, H, W, 2]
    return keras.Model(inputs, x, name="st_resnet")


def _branch(build: _Builder, x, model: ModelConfig, channels: int, name: str):
    """One branch with weights of its own: `[batch, lags, H, W, 2]` to `[batch, H, W, C]`."""
    _, lags, rows, cols, flows = x.shape
    # A transpose, then a merge of the two last axes: a plain reshape would mix cells with lags.
    x = layers.Permute((2, 3, 1, 4), dtype=build.dtype, name=f"{name}_transpose")(x)
    x = layers.Reshape((rows, cols, lags * flows), dtype=build.dtype, name=f"{name}_channels")(x)
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
    return build.conv(x, channels, f"{name}_conv_out")  # [batch, H, W, C]


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
    x = build.dense(x, rows * cols * channels, "external_maps")
    if model.external_relu:
        x = build.relu(x, "external_relu_out")
    return layers.Reshape(shape, dtype=build.dtype, name="external_reshape")(x)
