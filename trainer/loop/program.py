"""The loop for a GPU: an epoch is one program, whose batches are gathered on the device by number."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from crowdflow.trainer.loop.networks import Networks
from crowdflow.trainer.loop.optimizer import Rate
from crowdflow.trainer.loop.orders import batches
from crowdflow.trainer.loop.placement import Feed, Placed
from crowdflow.trainer.windows import Windows


class Program:
    """Trains one or more networks together, each on its own order of the same windows.

    Args:
      models: built; of one shape and precision. Their own weights are read here, and not written.
      windows: transformed.
      tested: how many of them, the last ones, `test` takes.
      device: TensorFlow's name of the device.
      most: bytes that windows may take on the device, else they come in blocks; None is any number.
      xla: whether XLA compiles an epoch, once for each shape of batches; else TensorFlow runs it op by op.
    """

    def __init__(
        self,
        models: Sequence[keras.Model],
        windows: Windows,
        tested: int,
        device: str,
        most: int | None = None,
        xla: bool = True,
    ):
        self.count = len(models)
        self._device, self._xla = device, xla
        with tf.device(device):
            self._networks = Networks(models)
        self._tested = np.arange(windows.count - tested, windows.count)
        self._feed = Feed(windows, self._networks.inputs, device, most)

    @property
    def optimizer(self) -> keras.Optimizer:
        """The optimizer in use."""
        return self._networks.optimizer

    def optimize_at(self, rate: Rate, cell_decay: float) -> Sequence[np.ndarray]:
        """Takes a new `adam`; returns the values with which its variables start, for one network."""
        # XLA needs all variables in one place, before a graph is made.
        with tf.device(self._device):
            started = self._networks.optimize_at(rate, cell_decay)
        self._train = self._compiled(self._networks.train)
        self._test = self._compiled(self._networks.test)
        return started

    def write(self, states: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]) -> None:
        """Sets the weights and the optimizer's variables of each network, as `read` returns them."""
        self._networks.write(states)

    def read(self) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
        """By network, its weights, in the order of `keras.Model.get_weights`, and its optimizer's variables."""
        return self._networks.read()

    def train(self, orders: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
        """Trains each network for an epoch.

        Args:
          orders: by network, the numbers of its windows, int64 `[m]`.
          batch_size: windows in a step; the last one may have less.

        Returns:
          The mean squared errors before each step, averaged over the windows, float32 `[n]`.
        """
        return self._run(self._train, orders, batch_size)

    def test(self, batch_size: int) -> np.ndarray:
        """The networks' mean squared errors over the last windows, float32 `[n]`."""
        return self._run(self._test, [self._tested] * self.count, batch_size)

    def _run(self, compiled, orders: Sequence[np.ndarray], batch_size: int) -> np.ndarray:
        with tf.device(self._device):
            total = tf.zeros(self.count)
            for part in batches(orders, batch_size):
                for placed, order in self._feed.blocks(part):
                    total = compiled(placed, tf.constant(order), total)
        return total.numpy() / np.float32(len(orders[0]))

    def _compiled(self, step: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
        def steps(placed: Placed, order: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
            # XLA must know every shape, and runs best where it knows the rounds.
            count, _, size = order.shape

            def one(number, total):
                inputs, target = placed.take(order[number])
                return number + 1, total + step(inputs, target) * float(size)

            return tf.while_loop(lambda number, _: number < count, one, (0, total))[1]

        return tf.function(steps, jit_compile=self._xla, autograph=False)
