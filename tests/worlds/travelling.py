"""Models that each of the two stacks pushed, kept beside the tests, and what they answered where they were pushed.

Run on a stack, this pushes its model anew: `PYTHONPATH=tests .venv/bin/python -m worlds.travelling`.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from worlds.pushed_city import Pushed, push

from crowdflow.config.stack import OLDER, STACK, TODAY

FOLDER = Path(__file__).parents[1] / "serving" / "pushed_by"
STACKS = (OLDER, TODAY)
ANSWERS = "answers.npz"


def answers(city: Pushed) -> dict[str, np.ndarray]:
    """What a city's pushed model forecasts, and its error on the test windows.

    Returns:
      `targets`, wall-clock minutes, int64 `[m]`; `flows`, trips per interval, float32 `[m, h, H, W, 2]`; `rmse`.
    """
    from crowdflow.components.last_pushed_model.models import judge
    from crowdflow.serving.connect import connect
    from crowdflow.serving.forecaster import Forecaster

    forecaster = Forecaster(connect(str(city.serving)))
    history = forecaster.read(city.data)
    last = forecaster.next_target(history)
    targets = np.arange(last - 3 * 60, last + 1, 60)
    shape = (2, 5, 4, 2)
    rmse = judge(city.serving / "1", [city.windows["test"]], shape, 10**9, city.config)
    return {"targets": targets, "flows": forecaster.forecast(history, targets).flows, "rmse": rmse}


def main() -> None:
    """Replaces the model of the stack that runs this."""
    with tempfile.TemporaryDirectory() as scratch:
        city = push(Path(scratch))
        out = FOLDER / STACK
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(city.serving, out / city.serving.name)
        np.savez_compressed(out / ANSWERS, **answers(city))


if __name__ == "__main__":
    main()
