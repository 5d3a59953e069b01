"""Device and precision, on whatever machine runs this."""

import re
from pathlib import Path

import pytest
import tensorflow as tf

from crowdflow.config import TrainingConfig
from crowdflow.trainer import device


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
        steps_per_epoch=9,
    )
    there = device.choose_batches(config, gpu=True)
    assert (there.batch_size, there.steps_per_epoch) == (64, 3)
    assert (there.learning_rate, there.final_learning_rate) == (2e-3, expected)
    assert device.choose_batches(there, gpu=True) == there
    assert device.choose_batches(config, gpu=False) is config
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    assert device.choose_batches(config) == (there if has_gpu else config)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_auto_follows_the_processor():
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)[
        1
    ].split()
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    assert device.choose_precision("auto") == ("mixed_bfloat16" if native else "float32")


@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="there is no GPU")
def test_auto_follows_the_gpu():
    gpu = tf.config.list_physical_devices("GPU")[0]
    capability = tf.config.experimental.get_device_details(gpu)["compute_capability"]
    native = capability >= (8, 0)
    assert device.choose_precision("auto") == ("mixed_bfloat16" if native else "float32")


def test_the_device_is_described_in_words():
    gpus = tf.config.list_physical_devices("GPU")
    expected = rf"{len(gpus)} x GPU \(.+\)" if gpus else r"CPU \(.+\), \d+ cores"
    assert re.fullmatch(expected, device.describe())


def test_several_gpus_are_mirrored_else_the_default():
    several = len(tf.config.list_logical_devices("GPU")) > 1
    assert isinstance(device.strategy(), tf.distribute.MirroredStrategy) == several
