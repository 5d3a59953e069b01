"""Device and precision, on whatever machine runs this."""

import re
from pathlib import Path

import pytest
import tensorflow as tf

from crowdflow.config import Config, presets
from crowdflow.trainer import device

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.parametrize("setting", ["float32", "mixed_bfloat16"])
def test_a_given_precision_is_taken_as_it_is(setting):
    assert device.choose_precision(setting) == setting


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


def test_a_processor_trains_members_one_after_the_other_by_keras_loop():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("for machines without a GPU")
    plan = device.plan(Config())
    assert plan == device.Plan(device.choose_precision("auto"))
    assert plan.describe() == f"{device.describe()}, {plan.precision}"


def test_a_plan_for_gpus_is_told_in_a_line():
    plan = device.Plan("mixed_bfloat16", ("GPU:0",), True, 4, 21_000_000_000)
    assert plan.describe().endswith(
        ", mixed_bfloat16, an epoch one XLA program, 4 networks at once, "
        "up to 21.0 GB of windows on the device"
    )


@pytest.mark.parametrize(
    ("preset", "members", "devices", "expected"),
    [("bikenyc", 4, 1, 4), ("bikenyc", 4, 2, 2), ("bikenyc", 3, 2, 2), ("taxibj", 4, 1, 1)],
)
def test_small_networks_train_together_and_large_ones_alone(preset, members, devices, expected):
    config = presets.load(preset).replace({"model.members": members})
    assert device.members_at_once(config, devices, "mixed_bfloat16") == expected
