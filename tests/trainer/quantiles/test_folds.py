"""Days that a member leaves out: dealt out in turn, never trained on, and forecast by those who left them out."""

import numpy as np
import pytest
from worlds.small_training import make_member, make_trainer

from crowdflow.schema import features
from crowdflow.trainer.quantiles.folds import fold_of_member, folds_of
from crowdflow.trainer.quantiles.unseen import Unseen, forecast_unseen, join


def test_days_are_dealt_out_in_turn_whatever_lies_between_them():
    times = 1440 * np.array([10, 10, 11, 13, 20, 21, 21, 30]) + 60 * np.arange(8)
    assert folds_of(times).tolist() == [0, 0, 1, 2, 3, 0, 0, 1]
    assert [fold_of_member(number) for number in range(1, 7)] == [0, 1, 2, 3, 0, 1]
    four_weeks = folds_of(1440 * np.arange(28))
    for fold in range(4):  # each has every day of the week
        assert set(np.flatnonzero(four_weeks == fold) % 7) == set(range(7))


class Watched:
    """A loop that notes the windows that each member is trained on."""

    def __init__(self, loop):
        self._loop, self.seen = loop, []

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def train(self, orders, batch_size):
        self.seen.append([np.array(order) for order in orders])
        return self._loop.train(orders, batch_size)


@pytest.mark.parametrize("loop", ["keras", "graph"])
def test_a_member_is_never_trained_on_its_fold(splits, tmp_path, loop):
    train, evaluation = splits["train"], splits["eval"]
    seeds = (3,) if loop == "keras" else (3, 4, 5)
    trainer = make_trainer(splits, tmp_path, *seeds, loop=loop, epochs=2, final_epochs=3)
    for number, member in enumerate(trainer.members, 1):
        member.fold = fold_of_member(number)
    trainer = type(trainer)(
        trainer.members, Watched(trainer.loop), trainer.config, train, evaluation
    )
    trainer.run()
    folds = folds_of(evaluation[features.TARGET_TIME])
    counts = [np.sum(folds == fold) for fold in range(4)]
    first, second = trainer.loop.seen[:2], trainer.loop.seen[2:]
    for orders in first:
        assert all(sorted(order) == list(range(train.count)) for order in orders)
    assert len(second) == 3
    for orders in second:
        for member, order in zip(trainer.members, orders, strict=True):
            assert len(set(order)) == len(order) == train.count + evaluation.count - max(counts)
            left_out = train.count + np.flatnonzero(folds == member.fold)
            assert not set(left_out) & set(order)


def test_days_are_forecast_by_those_who_left_them_out(splits, tmp_path):
    members = [make_member(splits, tmp_path / str(seed), seed).model for seed in (1, 2, 3, 4, 5)]
    windows = splits["eval"]
    low, high = 0.0, 40.0
    alone = [forecast_unseen([one], windows, low, high, left_out=False) for one in members]
    assert all((part.times == windows[features.TARGET_TIME]).all() for part in alone)
    found = forecast_unseen(members, windows, low, high, left_out=True)
    folds = folds_of(windows[features.TARGET_TIME])
    for time, forecast, flow in zip(found.times, found.forecasts, found.flows, strict=True):
        [row] = np.flatnonzero(windows[features.TARGET_TIME] == time)
        of = {0: (0, 4)}.get(int(folds[row]), (int(folds[row]),))
        scaled = [alone[k].forecasts[row] for k in of]
        if len(of) == 1:
            np.testing.assert_allclose(forecast, scaled[0], atol=1e-4)
        np.testing.assert_allclose(flow, (windows[features.TARGET][row] + 1) * 20, atol=1e-3)
    assert sorted(found.times) == sorted(windows[features.TARGET_TIME])
    one = forecast_unseen(members[:1], windows, low, high, left_out=True)
    assert set(one.times) == set(windows[features.TARGET_TIME][folds == 0])


def test_they_are_read_back_as_they_were_written(tmp_path):
    made = Unseen(np.arange(3), np.ones((3, 1, 2, 2, 2), np.float32), np.zeros((3, 1, 2, 2, 2)))
    made.save(str(tmp_path / "unseen.npz"))
    read = Unseen.load(str(tmp_path / "unseen.npz"))
    twice = join([made, read])
    assert twice.times.tolist() == [0, 1, 2, 0, 1, 2]
    assert twice.forecasts.shape == (6, 1, 2, 2, 2) and twice.flows.dtype == np.float64
