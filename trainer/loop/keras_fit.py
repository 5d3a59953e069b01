"""The loop for a processor: Keras' own, with batches from tf.data."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from crowdflow.trainer.loop.optimizer import Rate, adam
from crowdflow.trainer.windows import Windows, in_order, taken

MOST_AT_ONCE = 32


def steps_at_once(steps: int) -> int:
    """The number of steps in one call of the graph: a divisor of the epoch's steps, so that none is left over."""
    return max(n for n in range(1, MOST_AT_ONCE + 1) if steps % n == 0)


class KerasFit:
    """Trains one network by `keras.Model.fit`, an epoch at a time; has the methods of `Program`.

    A processor keeps it for its digits, which published results have: `Program` adds numbers in another order, and
    XLA is slower there.

    Args:
      model: built.
      windows: transformed.
      tested: see `Program`.
    """

    count = 1

    def __init__(self, model: keras.Model, windows: Windows, tested: int):
        self.model, self._windows = model, windows
        self._tested = windows.part(slice(windows.count - tested, None))
        self._orders: list[np.ndarray] = []  # one, the epoch's
        self._steps = 0
        self._data: tf.data.Dataset | None = None
        self._test_data: tf.data.Dataset | None = None

    @property
    def optimizer(self) -> keras.Optimizer:
        """The optimizer in use."""
        return self.model.optimizer

    def optimize_at(self, rate: Rate, cell_decay: float) -> Sequence[np.ndarray]:
        """See `Program`."""
        optimizer = adam(rate, cell_decay, self.model, self.model.trainable_variables)
        self.model.compile(optimizer, "mse", jit_compile=False)
        self._steps = 0
        return self.read()[0][1]

    def write(self, states: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]) -> None:
        """See `Program`."""
        [(weights, variables)] = states
        self.model.set_weights(weights)
        for variable, value in zip(self.optimizer.variables, variables, strict=True):
            variable.assign(value)

    def read(self) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
        """See `Program`."""
        return [(self.model.get_weights(), [np.asarray(v) for v in self.optimizer.variables])]

    def train(self, orders: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
        """See `Program`."""
        self._orders[:] = orders
        steps = -(-len(orders[0]) // batch_size)
        if steps != self._steps:
            self._steps = steps
            self._data = self._batches(batch_size)
            self.model.steps_per_execution = steps_at_once(steps)
            self.model.make_train_function(force=True)
        found = self.model.fit(self._data, steps_per_epoch=steps, verbose=0)
        return np.array(found.history["loss"])

    def test(self, batch_size: int) -> np.ndarray:
        """See `Program`."""
        if self._test_data is None:
            self._test_data = in_order(self._tested, list(self.model.input), batch_size)
        return np.array([self.model.evaluate(self._test_data, verbose=0)])

    def _batches(self, batch_size: int) -> tf.data.Dataset:
        """The batches of the order as it is when an epoch begins; Python runs once for all of them."""
        # TensorFlow keeps a generator for good, so it must not refer to the windows.
        current = self._orders

        def order() -> Iterator[np.ndarray]:
            yield from current

        orders = tf.data.Dataset.from_generator(
            order, output_signature=tf.TensorSpec([None], tf.int64)
        )
        rows = orders.flat_map(
            lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        )
        return taken(rows, self._windows, list(self.model.input))
