"""Networks that train as one: their weights stacked, one optimizer over all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from crowdflow.trainer.layers import Convolution
from crowdflow.trainer.loop.optimizer import Rate, adam

Arrays = Sequence[np.ndarray]


class Networks:
    """One or more networks of one shape, each with weights and windows of its own.

    A weight of n networks is one variable `[n, ...]`, so an optimizer that works element by element, as Adam does,
    treats each network as if it were alone. All variables exist before a graph uses them.

    Args:
      models: built; the first one computes for all. Their own weights are read here, and not written.
    """

    def __init__(self, models: Sequence[keras.Model]):
        self.count = len(models)
        self.inputs = list(models[0].input)
        self.optimizer: keras.Optimizer | None = None
        self._model = models[0]
        for layer in self._model.layers:
            if isinstance(layer, Convolution):
                layer.as_product = self.count > 1
        each = zip(*(model.get_weights() for model in models))
        self._weights = [keras.Variable(np.stack(values)) for values in each]
        stacked = {id(own): one for own, one in zip(self._model.weights, self._weights)}
        self._trainable = [stacked[id(own)] for own in self._model.trainable_variables]
        self._others = [stacked[id(own)] for own in self._model.non_trainable_variables]
        self._error = keras.losses.MeanSquaredError()

    def optimize_at(self, rate: Rate, cell_decay: float) -> Arrays:
        """Takes a new `adam`, and makes its variables; returns one network's share of them."""
        self.optimizer = adam(rate, cell_decay, self._model, self._trainable)
        return self.read()[0][1]

    def train(self, inputs: dict[str, tf.Tensor], target: tf.Tensor) -> tf.Tensor:
        """One step of every network on its own batch, `[n, batch, ...]`; the errors before it, `[n]`."""
        with tf.GradientTape() as tape:
            errors, others = self._errors(inputs, target, training=True)
            total = tf.reduce_sum(errors)  # so that a weight's gradient is its own network's
        gradients = tape.gradient(total, [variable.value for variable in self._trainable])
        self.optimizer.apply(gradients, self._trainable)
        for variable, value in zip(self._others, others):
            variable.assign(value)
        return errors

    def test(self, inputs: dict[str, tf.Tensor], target: tf.Tensor) -> tf.Tensor:
        """The mean squared error of every network on its own batch, `[n, batch, ...]`: `[n]`."""
        return self._errors(inputs, target, training=False)[0]

    def _errors(self, inputs, target, training: bool) -> tuple[tf.Tensor, list[tf.Tensor]]:
        def one(values):
            trainable, others, x, y = values
            answer, others = self._model.stateless_call(trainable, others, x, training=training)
            return self._error(y, answer), others

        weights = (
            [tf.convert_to_tensor(variable.value) for variable in group]
            for group in (self._trainable, self._others)
        )
        return self._each(one, (*weights, inputs, target))

    def _each(self, one: Callable[[Any], Any], values: Any) -> Any:
        """A function of one network's values for each network, `[n, ...]`; for a single one as it is."""
        if self.count > 1:
            return tf.vectorized_map(one, values, fallback_to_while_loop=False)
        alone = one(tf.nest.map_structure(lambda value: tf.squeeze(value, 0), values))
        return tf.nest.map_structure(lambda value: value[None], alone)

    def write(self, states: Sequence[tuple[Arrays, Arrays]]) -> None:
        """Sets the weights and the optimizer's variables of each network, as `read` returns them."""
        for group, values in zip((self._weights, self.optimizer.variables), zip(*states)):
            for variable, each in zip(group, zip(*values, strict=True), strict=True):
                variable.assign(np.stack(each) if len(variable.shape) else each[0])

    def read(self) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
        """By network, its weights, in the order of `keras.Model.weights`, and its optimizer's variables.

        Those that count steps are scalars, which all networks share.
        """
        weights, optimizer = (
            [np.asarray(variable) for variable in group]
            for group in (self._weights, self.optimizer.variables)
        )
        return [
            ([w[i] for w in weights], [v[i] if v.ndim else v for v in optimizer])
            for i in range(self.count)
        ]
