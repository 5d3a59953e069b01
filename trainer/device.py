"""The machine's devices, and the precision and batch size that suit them."""

import dataclasses
import math
import os
import platform
from collections.abc import Sequence, Set
from pathlib import Path

import tensorflow as tf

from crowdflow.config import TrainingConfig


def strategy(kind: str = "GPU") -> tf.distribute.Strategy:
    """Mirrors the model over all devices of a kind if there are several, else uses the default device."""
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    return (
        tf.distribute.MirroredStrategy(devices)
        if len(devices) > 1
        else tf.distribute.get_strategy()
    )


def choose_precision(setting: str) -> str:
    """The Keras dtype policy for a `training.precision` setting.

    `auto` is `mixed_bfloat16` where the GPUs (compute capability 8 or later) or, without one, the processor
    compute in bfloat16, else `float32`.
    """
    if setting != "auto":
        return setting
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    native = computes_in_bfloat16(
        [d.get("compute_capability", (0, 0)) for d in details], _processor_flags()
    )
    return "mixed_bfloat16" if native else "float32"


def computes_in_bfloat16(capabilities: Sequence[tuple[int, int]], flags: Set[str]) -> bool:
    """Whether a machine computes in bfloat16: by its GPUs' compute capabilities, or else its processor's flags."""
    if capabilities:
        return min(capabilities) >= (8, 0)
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16"})


def choose_batches(config: TrainingConfig, gpu: bool | None = None) -> TrainingConfig:
    """The settings for this machine: on a GPU, larger batches with learning rates to match.

    Adam's step hardly depends on the gradient's size, but its noise falls with the root of the batch: so does what
    the rate has to make up for.

    Args:
      config: as configured.
      gpu: whether there is a GPU; None detects it.

    Returns:
      `batch_size` times `gpu_batch_factor`, both rates times its square root, and so many times fewer steps where
      `steps_per_epoch` counts them; without a GPU, `config`.
    """
    if gpu is None:
        gpu = bool(tf.config.list_physical_devices("GPU"))
    if not gpu:
        return config
    factor = config.gpu_batch_factor
    rate = math.sqrt(factor)
    final, steps = config.final_learning_rate, config.steps_per_epoch
    return dataclasses.replace(
        config,
        batch_size=config.batch_size * factor,
        gpu_batch_factor=1,
        learning_rate=config.learning_rate * rate,
        final_learning_rate=None if final is None else final * rate,
        steps_per_epoch=None if steps is None else math.ceil(steps / factor),
    )


def describe() -> str:
    """The device in words, such as `2 x GPU (NVIDIA H100)` or `CPU (AMD EPYC), 2 cores`."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} x GPU ({details.get('device_name', 'unknown')})"
    return f"CPU ({_processor_name()}), {len(os.sched_getaffinity(0))} cores"


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def _processor_flags() -> set[str]:
    return set(_cpuinfo("flags").split())


def _processor_name() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()
