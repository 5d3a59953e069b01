"""Windows in a device's memory, whole and in blocks."""

import numpy as np
import pytest

from crowdflow.trainer.loop.orders import epoch_order
from crowdflow.trainer.loop.placement import Feed
from crowdflow.trainer.windows import join

INPUTS = ["closeness", "external"]


def nbytes(placed):
    parts = [placed.maps, *placed.rows.values(), *placed.values.values()]
    return sum(part.numpy().nbytes for part in parts)


@pytest.fixture(scope="module")
def windows(splits):
    return join(splits["train"], splits["eval"])


@pytest.mark.parametrize("most", [None, 50_000, 20_000, 1])
def test_blocks_have_the_windows_of_the_order_step_by_step(windows, most):
    order = np.stack([epoch_order(20, seed, 1, 0) for seed in (1, 2)], 1).reshape(20, 2, 1)
    found, sizes, shapes = [], [], set()
    for placed, chosen in Feed(windows, INPUTS, "CPU:0", most).blocks(order):
        inputs, target = placed.take(chosen)
        assert sorted(inputs) == INPUTS
        found.append([*(inputs[name].numpy() for name in INPUTS), target.numpy()])
        sizes.append(nbytes(placed))
        shapes.add((placed.maps.shape[0], *chosen.shape))
    for name, parts in zip([*INPUTS, "target"], zip(*found)):
        np.testing.assert_array_equal(np.concatenate(parts), windows[name][order], err_msg=name)
    assert len(found) == {None: 1, 50_000: 1, 20_000: 7, 1: 20}[most], sizes
    assert len(shapes) == (
        2 if most == 20_000 else 1
    )  # so few graphs fit them: the last block is shorter
    if most == 20_000:
        assert max(sizes) * 3 <= most


def test_a_failure_beside_the_training_reaches_it(windows):
    feed = Feed(windows, INPUTS, "CPU:0", 1)
    with pytest.raises(IndexError):
        list(feed.blocks(np.array([[3], [99]])))
