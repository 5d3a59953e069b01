"""Settings of a run on Kubeflow Pipelines."""

import dataclasses
import posixpath
import re
from typing import Optional

from crowdflow.config.checks import require

# name:tag, name@sha256:..., with or without a registry before the name; no tag is no fixed image.
_IMAGE = re.compile(r"[\w.\-/:]*[\w.\-](:[\w][\w.\-]{0,127}|@sha256:[0-9a-f]{64})")
_VOLUME = re.compile(r"(?P<claim>[a-z0-9]([a-z0-9.\-]*[a-z0-9])?):(?P<folder>/[\w.\-/]*[\w.\-])")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_SECRET = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<secret>[a-z0-9][a-z0-9.\-]*)/(?P<key>[\w.\-]+)")
_NODE = re.compile(r"(?P<node>[A-Z]\w+)=(?P<cpus>[\d.]+)/(?P<memory>[\d.]+)")


@dataclasses.dataclass(frozen=True)
class Resources:
    """Limits of one step.

    Attributes:
      cpus: cores.
      memory_gb: gigabytes of 10^9 bytes, Kubernetes' `G`.
      gpus: accelerators.
      gpu: their resource name.
    """

    cpus: float
    memory_gb: float
    gpus: int = 0
    gpu: str = "nvidia.com/gpu"


@dataclasses.dataclass(frozen=True)
class KubeflowConfig:
    """Where and with what the steps run.

    Attributes:
      image: container image of every step, fixed by tag or digest: `NAME:TAG` or `NAME@sha256:DIGEST`.
      volumes: volume claims that every step mounts, `CLAIM:/FOLDER` each.
      environment: variables of every step, `NAME=VALUE` each; they stand in the compiled file.
      secrets: variables of every step whose values are in Kubernetes secrets, `NAME=SECRET/KEY` each.
      serving_folder: where versions are pushed, on a volume or at `s3://` or `gs://`; null is `serving/crowdflow`
        on the first volume.
      checkpoints: of interrupted trainings, likewise; null is `checkpoints` on the first volume.
      cpus: cores of a step, at most.
      memory_gb: memory of a step in gigabytes of 10^9 bytes, at most.
      trainer_cpus: the Trainer's.
      trainer_memory_gb: the Trainer's.
      trainer_gpus: the Trainer's accelerators; 0 trains on the processor.
      gpu: the resource name of an accelerator.
      nodes: limits of single steps, `NODE=CPUS/MEMORY_GB` each, such as `FlowExampleGen=8/32`.
    """

    image: Optional[str] = None
    volumes: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    serving_folder: Optional[str] = None
    checkpoints: Optional[str] = None
    cpus: float = 2.0
    memory_gb: float = 4.0
    trainer_cpus: float = 4.0
    trainer_memory_gb: float = 8.0
    trainer_gpus: int = 0
    gpu: str = "nvidia.com/gpu"
    nodes: tuple[str, ...] = ()

    def __post_init__(self):
        ok = self.image is None or _IMAGE.fullmatch(self.image)
        require(ok, "kubeflow.image", "NAME:TAG or NAME@sha256:DIGEST", self.image)
        for text in self.volumes:
            require(_VOLUME.fullmatch(text), "kubeflow.volumes", "CLAIM:/FOLDER", text)
        for text in self.environment:
            require(_VARIABLE.fullmatch(text), "kubeflow.environment", "NAME=VALUE", text)
        for text in self.secrets:
            require(_SECRET.fullmatch(text), "kubeflow.secrets", "NAME=SECRET/KEY", text)
        for text in self.nodes:
            expected = "NODE=CPUS/MEMORY_GB, such as FlowExampleGen=8/32"
            match = _NODE.fullmatch(text)
            ok = match and _is_positive(match["cpus"]) and _is_positive(match["memory"])
            require(ok, "kubeflow.nodes", expected, text)
        for name in ("cpus", "memory_gb", "trainer_cpus", "trainer_memory_gb"):
            require(getattr(self, name) > 0, f"kubeflow.{name}", "above 0", getattr(self, name))
        require(self.trainer_gpus >= 0, "kubeflow.trainer_gpus", "0 or more", self.trainer_gpus)
        require(self.gpu, "kubeflow.gpu", "a resource name such as nvidia.com/gpu", self.gpu)

    def mounts(self) -> dict[str, str]:
        """Folder -> claim of the volumes, in their order."""
        matches = [_VOLUME.fullmatch(text) for text in self.volumes]
        return {posixpath.normpath(match["folder"]): match["claim"] for match in matches}

    def variables(self) -> dict[str, str]:
        """Name -> value of the steps' plain variables."""
        return dict(_VARIABLE.fullmatch(text).group("name", "value") for text in self.environment)

    def secret_keys(self) -> dict[str, tuple[str, str]]:
        """Name of a variable -> its secret, and the key in it."""
        matches = [_SECRET.fullmatch(text) for text in self.secrets]
        return {match["name"]: (match["secret"], match["key"]) for match in matches}

    def resources(self, node: str) -> Resources:
        """The limits of one step, by its name."""
        trainer = node == "Trainer"
        cpus, memory = (
            (self.trainer_cpus, self.trainer_memory_gb) if trainer else (self.cpus, self.memory_gb)
        )
        for text in self.nodes:
            match = _NODE.fullmatch(text)
            if match["node"] == node:
                cpus, memory = float(match["cpus"]), float(match["memory"])
        return Resources(cpus, memory, self.trainer_gpus if trainer else 0, self.gpu)


def _is_positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
