"""Device and precision, on whatever machine runs this."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from crowdflow.config import TrainingConfig
from crowdflow.trainer import device

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.parametrize("setting", ["float32", "mixed_bfloat16"])
def test_a_given_precision_is_taken_as_it_is(setting):
    assert device.choose_precision(setting) == setting


@pytest.mark.parametrize(("given", "expected"), [(None, None), (5e-3, 1e-2)])
def test_a_gpu_gets_larger_batches_and_rates_to_match(given, expected):
    config = TrainingConfig(
        batch_size=16,
        gpu_batch_factor=4,
        learning_rate=1e-3,
        final_learning_rate=given,
        schedule="constant",
        steps_per_epoch=9,
    )
    there = device.choose_batches(config, gpu=True)
    assert (there.batch_size, there.steps_per_epoch) == (64, 3)
    assert (there.learning_rate, there.final_learning_rate) == (2e-3, expected)
    assert device.choose_batches(there, gpu=True) == there
    assert device.choose_batches(config, gpu=False) is config
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    assert device.choose_batches(config) == (there if has_gpu else config)


@pytest.mark.parametrize(
    ("capabilities", "flags", "native"),
    [
        ([], {"avx2", "fma"}, False),
        ([], {"avx512f", "avx512_bf16"}, True),
        ([], {"amx_bf16", "amx_tile"}, True),
        ([(9, 0)], set(), True),
        ([(8, 0), (8, 6)], set(), True),
        ([(7, 5)], {"avx512_bf16"}, False),
        ([(9, 0), (7, 0)], {"avx512_bf16"}, False),  # the slowest counts
    ],
)
def test_bfloat16_is_for_what_computes_in_it(capabilities, flags, native):
    assert device.computes_in_bfloat16(capabilities, flags) is native


def test_auto_follows_this_machine():
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        native = all(one["compute_capability"][0] >= 8 for one in details)
    else:
        native = re.search(r"^flags.*\b(avx512|amx)_bf16\b", CPUINFO.read_text(), re.MULTILINE)
    assert device.choose_precision("auto") == ("mixed_bfloat16" if native else "float32")


def test_the_device_is_described_in_words():
    gpus = tf.config.list_physical_devices("GPU")
    expected = rf"{len(gpus)} x GPU \(.+\)" if gpus else r"CPU \(.+\), \d+ cores"
    assert re.fullmatch(expected, device.describe())


TWO = """
import tensorflow as tf
from crowdflow.trainer import device
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
print(type(device.strategy("CPU")).__name__, device.strategy("CPU").num_replicas_in_sync)
"""


def test_several_devices_are_mirrored_and_one_is_the_default():
    command = [sys.executable, "-c", TWO]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["MirroredStrategy", "2"]
    assert device.strategy("CPU") is tf.distribute.get_strategy()
