"""LightGBM for accuracy.py, run with .venv-bench; arguments: tables (.npz), where the forecasts go (.npy)."""

import sys

import lightgbm
import numpy as np

SETTINGS = {"objective": "regression", "num_leaves": 127, "learning_rate": 0.05, "verbose": -1}
ROUNDS, PATIENCE = 2000, 50

given = np.load(sys.argv[1])
made, targets = given["features"], given["targets"]  # [n, cells, 61], [n, cells, 2]
train, held_out, test = (given[name] for name in ("train", "eval", "test"))


def table(rows: np.ndarray, channel: int) -> tuple[np.ndarray, np.ndarray]:
    return made[rows].reshape(-1, made.shape[2]), targets[rows, :, channel].reshape(-1)


forecasts = np.zeros((len(test), *targets.shape[1:]), np.float32)
for channel in range(targets.shape[2]):
    part = lightgbm.Dataset(*table(train, channel))
    judge = lightgbm.Dataset(*table(held_out, channel), reference=part)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    first = lightgbm.train(SETTINGS, part, ROUNDS, valid_sets=[judge], callbacks=[stop])
    every = lightgbm.Dataset(*table(np.concatenate([train, held_out]), channel))
    booster = lightgbm.train(SETTINGS, every, first.best_iteration)
    answer = booster.predict(table(test, channel)[0])
    forecasts[..., channel] = np.maximum(answer.reshape(len(test), -1), 0)
np.save(sys.argv[2], forecasts)
