"""The optimizer of both loops."""

from collections.abc import Sequence

import keras

from crowdflow.trainer.model import CELL_WEIGHTS

Rate = float | keras.optimizers.schedules.LearningRateSchedule


def adam(
    rate: Rate, cell_decay: float, model: keras.Model, variables: Sequence[keras.Variable]
) -> keras.Optimizer:
    """Adam, in which the weights of single cells decay, so that a cell differs from others where its data say so.

    Args:
      rate: the learning rate.
      cell_decay: see `TrainingConfig`.
      model: the network.
      variables: what to train, one for each of the model's trainable weights and in their order.
    """
    optimizer = keras.optimizers.Adam(rate, weight_decay=cell_decay)
    each = zip(model.trainable_variables, variables, strict=True)
    optimizer.exclude_from_weight_decay([v for own, v in each if own.path not in CELL_WEIGHTS])
    optimizer.build(variables)
    return optimizer
