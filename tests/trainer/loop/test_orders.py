"""The order in which an epoch takes its windows."""

import itertools

import pytest

from crowdflow.trainer.loop.orders import batches, epoch_order

SIZE = 11


def test_the_order_of_an_epoch_depends_on_seed_phase_and_epoch_alone():
    orders = {
        key: tuple(epoch_order(SIZE, *key).tolist())
        for key in itertools.product((1, 2), (1, 2), (0, 1))
    }
    assert len(set(orders.values())) == len(orders)
    assert all(sorted(order) == list(range(SIZE)) for order in orders.values())
    for key, order in orders.items():
        assert tuple(epoch_order(SIZE, *key).tolist()) == order


@pytest.mark.parametrize(
    ("size", "shapes"),
    [(4, [(2, 2, 4), (1, 2, 3)]), (11, [(1, 2, 11)]), (12, [(1, 2, 11)]), (1, [(11, 2, 1)])],
)
def test_every_batch_is_whole_but_the_last(size, shapes):
    orders = [epoch_order(SIZE, seed, 1, 0) for seed in (1, 2)]
    found = batches(orders, size)
    assert [part.shape for part in found] == shapes
    for number, order in enumerate(orders):
        assert sum((part[:, number].ravel().tolist() for part in found), []) == order.tolist()
