"""A day of more windows than the model takes at once."""

import numpy as np

from crowdflow.schema.features import MAX_BATCH
from crowdflow.serving import request
from crowdflow.serving.batch import _Model
from crowdflow.serving.connect import connect
from crowdflow.serving.folder import ModelFolder
from crowdflow.serving.forecaster import Forecaster
from crowdflow.serving.ranges import keep_possible


def test_batch_asks_in_parts_where_a_day_has_too_many_windows(pushed, history):
    forecaster = Forecaster(connect(str(pushed.serving)))
    starts = history.frames.starts
    targets = keep_possible(forecaster, history, starts[-40:], print)
    many = np.tile(targets, -(-(MAX_BATCH + 10) // len(targets)))
    inputs = request.build(history, many, pushed.config)
    model = _Model(str(pushed.serving))
    [(asked, flows)] = model.run_inference([(many, inputs)], ModelFolder(pushed.serving))
    expected = forecaster.forecast(history, targets).flows
    assert len(asked) == len(flows) > MAX_BATCH
    np.testing.assert_allclose(flows[: len(targets)], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(flows[-len(targets) :], expected, rtol=1e-5, atol=1e-5)
