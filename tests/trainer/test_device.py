"""Device and precision, on whatever machine runs this."""

import re
from pathlib import Path

import pytest
import tensorflow as tf

from trainer import device


@pytest.mark.parametrize("setting", ["float32", "mixed_bfloat16"])
def test_a_given_precision_is_taken_as_it_is(setting):
    assert device.choose_precision(setting) == setting


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
