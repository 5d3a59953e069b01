"""What Keras' loop leaves behind."""

import gc
import weakref

import numpy as np
from worlds.small_training import make_trainer

from crowdflow.trainer.loop.keras_fit import KerasFit
from crowdflow.trainer.windows import join


def test_a_training_that_has_ended_does_not_keep_its_windows(splits, tmp_path):
    model = make_trainer(splits, tmp_path, 3).model
    windows = join(splits["train"], splits["eval"])
    kept = weakref.ref(windows)
    loop = KerasFit(model, windows, splits["eval"].count)
    loop.optimize_at(1e-3, 0.0)
    loop.train([np.arange(windows.count)], 5)
    loop.test(5)
    del loop, windows, model
    gc.collect()
    assert kept() is None
