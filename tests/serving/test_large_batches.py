"""A day of more windows than the model takes at once, or than memory should hold."""

import numpy as np

from crowdflow.config import Config
from crowdflow.schema.features import MAX_BATCH
from crowdflow.serving import batch
from crowdflow.serving.connect import connect
from crowdflow.serving.folder import ModelFolder
from crowdflow.serving.forecaster import Forecaster
from crowdflow.serving.ranges import keep_possible


def test_batch_asks_in_parts_where_a_day_has_too_many_windows(pushed, history):
    forecaster = Forecaster(connect(str(pushed.serving)))
    day = int(history.frames.starts[-1]) // 1440
    wanted = history.frames.starts[history.frames.starts // 1440 == day]
    targets = keep_possible(forecaster, history, wanted, print)
    many = np.tile(targets, -(-(MAX_BATCH + 10) // len(targets)))
    build = batch._BuildRequests(pushed.config, [], history.side)
    requests = list(build.process((day, [history.frames]), batch.Plan(many, {}, {})))
    assert [len(asked) for asked, _ in requests] == [MAX_BATCH, len(many) - MAX_BATCH]
    model = batch._Model(str(pushed.serving), pushed.config, pushed.config.model.quantiles)
    answers = list(model.run_inference(requests, ModelFolder(pushed.serving)))
    np.testing.assert_array_equal(np.concatenate([one.starts[:, 0] for one in answers]), many)
    flows = np.concatenate([one.flows for one in answers])
    expected = forecaster.forecast(history, targets).flows
    np.testing.assert_allclose(flows[: len(targets)], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(flows[-len(targets) :], expected, rtol=1e-5, atol=1e-5)


def test_a_request_of_a_large_grid_is_bounded_by_its_bytes():
    small, large = Config(), Config().replace({"grid.rows": 200, "grid.cols": 200})
    assert batch.windows_at_once(small) == MAX_BATCH
    maps = sum(large.windows.lag_maps().values()) + large.windows.horizon
    assert batch.windows_at_once(large) == (64 << 20) // (maps * 200 * 200 * 2 * 4) > 1
    assert batch.windows_at_once(large.replace({"grid.rows": 20_000})) == 1
