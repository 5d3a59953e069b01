"""The members of an ensemble on several devices."""

import json
import subprocess
import sys

SPREAD = """
import json, sys, tempfile
from pathlib import Path
import numpy as np
import tensorflow as tf

[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from crowdflow.config import Config
from crowdflow.schema import features
from crowdflow.trainer import ensemble
from crowdflow.trainer.device import Plan
from crowdflow.trainer.loop.checkpoint import Checkpoint
from crowdflow.trainer.windows import Windows

random = np.random.default_rng(1)
config = Config.from_sections({
    "grid": {"rows": 4, "cols": 3},
    "windows": {"closeness": 2, "period": 0, "trend": 0, "average": 0, "average_days": 0},
    "model": {"filters": 4, "residual_units": 1, "local": False, "external": False, "members": 3},
    "training": {"final_epochs": 2, "batch_size": 4},
})
maps = random.uniform(-1, 1, (30, 4, 3, 2)).astype(np.float32)
rows = {"closeness": random.integers(0, 30, (14, 2)), "target": random.integers(0, 30, (14, 1))}
values = {features.FLOW_MIN: np.zeros(14, np.float32), features.FLOW_MAX: np.ones(14, np.float32)}
values[features.TARGET_TIME] = 1440 * np.arange(14)
windows = Windows(maps, {name: part.astype(np.int32) for name, part in rows.items()}, values)
train, evaluation = windows.part(slice(10)), windows.part(slice(10, 14))
used = {}

class Program(ensemble.Program):
    def __init__(self, models, windows, tested, device, most):
        super().__init__(models, windows, tested, device, most, xla=False)

    def train(self, orders, batch_size):
        devices = {variable.value.device[-5:] for variable in self.optimizer.variables}
        used.setdefault(" ".join(sorted(devices)), set()).add(self.count)
        return super().train(orders, batch_size)

ensemble.Program = Program

def trained(devices, at_once):
    plan = Plan("float32", devices, xla=True, at_once=at_once)
    with tempfile.TemporaryDirectory() as folder:
        def checkpoint(number):
            return Checkpoint(Path(folder) / str(number))

        found = ensemble.train_members(config, plan, train, evaluation, checkpoint, folder)
    return found[1], [epoch["member"] for epoch in found[2]]

spread, order = trained(("CPU:0", "CPU:1"), 2)
seen = {device: sorted(counts) for device, counts in used.items()}
alone, _ = trained(("CPU:0",), 1)
gaps = [
    float(np.abs(one - other).max())
    for first, second in zip(spread, alone, strict=True)
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True)
]
print(json.dumps({"devices": seen, "order": order, "gap": max(gaps)}))
"""


def test_members_spread_over_two_devices_are_those_of_one():
    done = subprocess.run(
        [sys.executable, "-c", SPREAD], stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == {"CPU:0": [2], "CPU:1": [1]}
    assert found["order"] == [1, 1, 2, 2, 3, 3]
    assert found["gap"] < 1e-5
