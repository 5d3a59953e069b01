"""The machine's devices, and how to train on them."""

import ctypes
import dataclasses
import math
import os
import platform
from collections.abc import Sequence, Set
from pathlib import Path

import tensorflow as tf

from crowdflow.config import Config
from crowdflow.schema import features

_TOGETHER = 1 << 30
_WINDOWS = 0.25  # of a GPU's memory


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a machine trains.

    Attributes:
      precision: Keras dtype policy.
      devices: TensorFlow's names of the devices that share the members.
      xla: whether an epoch is one program that XLA compiles; else Keras' loop trains.
      at_once: members of a device that train together.
      window_bytes: what windows may take of a device's memory before they come in blocks; None is any number.
    """

    precision: str
    devices: tuple[str, ...] = ("CPU:0",)
    xla: bool = False
    at_once: int = 1
    window_bytes: int | None = None

    def describe(self) -> str:
        """The plan in a line, the device first."""
        words = [describe(), self.precision]
        if self.xla:
            words += ["an epoch one XLA program", f"{self.at_once} networks at once"]
        if self.window_bytes is not None:
            words.append(f"up to {self.window_bytes / 1e9:.1f} GB of windows on the device")
        return ", ".join(words)


def plan(config: Config) -> Plan:
    """What suits this machine, for a training of this configuration."""
    precision = choose_precision(config.training.precision)
    gpus = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    if not gpus:
        # XLA is slower on a processor, and members one after the other have its caches to themselves.
        return Plan(precision)
    _point_xla_to_its_tools()
    together = members_at_once(config, len(gpus), precision)
    return Plan(precision, tuple(gpus), True, together, int(_WINDOWS * gpu_memory()))


def members_at_once(config: Config, devices: int, precision: str) -> int:
    """How many of a device's members train as one program.

    Together they compute convolutions as products of matrices, whose inputs are nine times as large. That pays
    where a step is too small to fill a GPU: below `_TOGETHER` bytes of them. A larger network trains alone.
    """
    model, windows = config.model, config.windows
    branches = len([name for name in windows.lag_maps() if name != features.AVERAGE])
    convolutions = branches * (2 * model.residual_units + 1)
    cells = config.training.batch_size * config.grid.rows * config.grid.cols
    each = convolutions * cells * 9 * model.filters * (4 if precision == "float32" else 2)
    share = math.ceil(model.members / devices)
    return max(1, min(share, _TOGETHER // each))


def gpu_memory() -> int:
    """Bytes of the smallest GPU, which TensorFlow does not tell and CUDA's driver does."""
    cuda = ctypes.CDLL("libcuda.so.1")
    found, size, device = [], ctypes.c_size_t(), ctypes.c_int()
    cuda.cuInit(0)
    for number in range(len(tf.config.list_physical_devices("GPU"))):
        cuda.cuDeviceGet(ctypes.byref(device), number)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        found.append(size.value)
    return min(found)


def _point_xla_to_its_tools() -> None:
    """Names the folder of ptxas and libdevice for XLA, which looks past it in some versions of the wheels."""
    folder = Path(tf.__file__).parent.parent / "nvidia" / "cuda_nvcc"
    if "XLA_FLAGS" not in os.environ and folder.is_dir():
        os.environ["XLA_FLAGS"] = f"--xla_gpu_cuda_data_dir={folder}"


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
