"""Weight decay takes what single cells have of their own, and nothing else."""

import keras
import numpy as np
import pytest
from worlds import paper
from worlds.small_models import EXTERNAL, LOCAL, build, randomise

from crowdflow.trainer.loop.optimizer import adam
from crowdflow.trainer.model import CELL_WEIGHTS


@pytest.mark.parametrize("networks", [1, 2])
def test_only_the_weights_of_single_cells_decay(networks):
    model = build(paper.lags(2, 1, 1, average=2), EXTERNAL, **LOCAL)
    randomise(model)
    own = model.trainable_variables
    assert CELL_WEIGHTS < {weight.path for weight in own}
    before = [np.stack([weight.numpy()] * networks) for weight in own]
    variables = [keras.Variable(values) for values in before]
    optimizer = adam(0.1, 0.5, model, variables)
    optimizer.apply([np.zeros_like(values) for values in before], variables)
    for weight, values, variable in zip(own, before, variables, strict=True):
        kept = 0.95 if weight.path in CELL_WEIGHTS else 1.0
        assert np.abs(values).max() > 0
        np.testing.assert_allclose(variable.numpy(), kept * values, rtol=1e-6, err_msg=weight.path)
