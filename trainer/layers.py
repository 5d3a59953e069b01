"""The layers of our own in pure Keras 3, for any backend; `h` is the horizon, `C = 2h`."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable("crowdflow")
class Convolution(layers.Conv2D):
    """A convolution of 3 x 3 that keeps the size of the map, `[batch, H, W, I]` to `[batch, H, W, filters]`.

    Attributes:
      as_product: whether to compute it as one product of matrices. Kernels of several networks make one batch of
        products, while their convolution has no fast form.
    """

    as_product = False

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 3, padding="same", **kwargs)

    def call(self, x):
        if not self.as_product:
            return super().call(x)
        _, rows, cols, channels = x.shape
        around = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        places = [(row, col) for row in range(3) for col in range(3)]
        near = [around[:, row : row + rows, col : col + cols] for row, col in places]
        near = ops.reshape(ops.concatenate(near, axis=-1), (-1, 9 * channels))
        found = ops.matmul(near, ops.reshape(self.kernel, (-1, self.filters))) + self.bias
        return ops.reshape(found, (-1, rows, cols, self.filters))

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in config if name not in ("kernel_size", "padding")}


@keras.saving.register_keras_serializable("crowdflow")
class HadamardFusion(layers.Layer):
    """Sum of the branches, each times a learnt weight per cell and channel (paper, eq. 5).

    Args:
      init: `uniform` draws the weights from [0, 1), as the authors do; `mean` starts as the branches' mean.
      seed: seed of the draw.
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


@keras.saving.register_keras_serializable("crowdflow")
class UsualTimesLevel(layers.Layer):
    """The average at the targets, times the present level: the flow in each closeness lag over its average.

    From closeness `[batch, lc, H, W, 2]` and average `[batch, h + lc, H, W, 2]`, scaled to [-1, 1], to
    `[batch, lc * h, H, W, 2]`: for each closeness lag the average of the targets, from zero flow on, times
    (the flow then) / (the usual flow then) - 1.

    Args:
      whole_city: one level for all cells, from the city's totals; else one per cell and channel.
    """

    # Added to both flows, as a share of the range of flows, because ratios of small flows are noise.
    CITY_SMOOTHING, CELL_SMOOTHING = 0.25, 0.02

    def __init__(self, whole_city: bool, **kwargs):
        super().__init__(**kwargs)
        self.whole_city = whole_city

    def call(self, closeness, average):
        lags = closeness.shape[1]
        usual = average[:, :-lags] + 1.0  # [batch, h, H, W, 2]
        now, then = closeness + 1.0, average[:, -lags:] + 1.0  # from zero flow on, to 2
        smoothing = 2 * self.CELL_SMOOTHING
        if self.whole_city:
            now, then = (ops.sum(flows, axis=(2, 3, 4), keepdims=True) for flows in (now, then))
            smoothing = 2 * self.CITY_SMOOTHING
        level = (now + smoothing) / (then + smoothing) - 1.0
        out = ops.expand_dims(level, 2) * ops.expand_dims(usual, 1)  # [batch, lc, h, H, W, 2]
        return ops.reshape(out, (-1, lags * usual.shape[1], *usual.shape[2:]))

    def get_config(self):
        return {**super().get_config(), "whole_city": self.whole_city}


@keras.saving.register_keras_serializable("crowdflow")
class FromUsual(layers.Layer):
    """Lags as deviations from what is usual then: nearly independent of it, and so quickly learnt from.

    From maps `[batch, n, H, W, 2]`, scaled to [-1, 1], to as many: the lags minus the average at their time, then
    the average from zero flow on. A period or trend lag is compared with the average at its target.

    Args:
      horizon: h.
      closeness: lc; the maps are closeness, period and trend, and the average of h + lc intervals.
    """

    def __init__(self, horizon: int, closeness: int, **kwargs):
        super().__init__(**kwargs)
        self.horizon = horizon
        self.closeness = closeness

    def call(self, maps):
        lags = maps.shape[1] - self.horizon - self.closeness
        average = maps[:, lags:]
        cycles = (lags - self.closeness) // self.horizon  # lags of period and trend
        then = [average[:, self.horizon :], *[average[:, : self.horizon]] * cycles]
        deviations = maps[:, :lags] - ops.concatenate(then, axis=1)
        return ops.concatenate([deviations, average + 1.0], axis=1)

    def get_config(self):
        return {**super().get_config(), "horizon": self.horizon, "closeness": self.closeness}


@keras.saving.register_keras_serializable("crowdflow")
class CityTotals(layers.Layer):
    """The city's totals, over the root of the number of cells; of deviations ten times that, for they are smaller.

    From maps `[batch, n, H, W, 2]`, scaled to [-1, 1] but from zero on, to `[batch, 2 n]`.

    Args:
      usual: how many maps, the last ones, are averages; the others are deviations, or, without an average, lags.
    """

    def __init__(self, usual: int, **kwargs):
        super().__init__(**kwargs)
        self.usual = usual

    def call(self, maps):
        _, count, rows, cols, flows = maps.shape
        totals = ops.sum(maps / 2.0, axis=(2, 3)) / (rows * cols) ** 0.5
        factors = np.repeat(np.float32([10.0, 1.0]), [count - self.usual, self.usual])
        return ops.reshape(ops.multiply(totals, factors[:, None]), (-1, count * flows))

    def get_config(self):
        return {**super().get_config(), "usual": self.usual}


@keras.saving.register_keras_serializable("crowdflow")
class UsualTimesCommon(layers.Layer):
    """The average at the targets, from zero flow on, times a linear map of what all cells have in common.

    From average `[batch, h + lc, H, W, 2]`, scaled to [-1, 1], and common `[batch, K]` to `[batch, H, W, C]`. It
    starts at zero.

    Args:
      horizon: h.
    """

    def __init__(self, horizon: int, **kwargs):
        super().__init__(**kwargs)
        self.horizon = horizon

    def build(self, average_shape, common_shape):
        shape = common_shape[-1], self.horizon * average_shape[-1]
        self.kernel = self.add_weight(shape, "zeros", name="kernel")

    def call(self, average, common):
        usual = average[:, : self.horizon] + 1.0
        _, steps, rows, cols, flows = usual.shape
        share = ops.reshape(ops.matmul(common, self.kernel), (-1, steps, 1, 1, flows))
        x = ops.transpose(usual * share, (0, 2, 3, 1, 4))
        return ops.reshape(x, (-1, rows, cols, steps * flows))

    def get_config(self):
        return {**super().get_config(), "horizon": self.horizon}


@keras.saving.register_keras_serializable("crowdflow")
class LocalLinear(layers.Layer):
    """A linear map per cell, `[batch, H, W, I]` to `[batch, H, W, C]`: that of all cells plus its deviation.

    Args:
      channels: C.
      copied: the index of the first of C inputs that the map copies at the start; None starts at zero.
    """

    def __init__(self, channels: int, copied: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.copied = copied

    def build(self, input_shape):
        def start(shape, dtype=None):
            shared = np.zeros(shape, np.float32)
            if self.copied is not None:
                shared[self.copied : self.copied + self.channels] = np.eye(self.channels)
            return ops.convert_to_tensor(shared, dtype)

        self.shared = self.add_weight((input_shape[-1], self.channels), start, name="shared")
        self.kernel = self.add_weight((*input_shape[1:], self.channels), "zeros", name="kernel")

    def call(self, x):
        return ops.einsum("bhwi,hwic->bhwc", x, self.shared + self.kernel)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "copied": self.copied}
