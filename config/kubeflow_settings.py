"""Settings of a run on Kubeflow Pipelines."""

import dataclasses
import posixpath
import re
from typing import Optional

from crowdflow.config import pods
from crowdflow.config.checks import require, require_no_user
from crowdflow.schema.secrets import HIDDEN, names_only

# name:tag or name@sha256:..., with or without a registry. Without a tag the image would not be fixed.
TRAINERS = ("Trainer", "Refit")  # the steps that train, with limits of their own

_IMAGE = re.compile(r"[\w.\-/:]*[\w.\-](:[\w][\w.\-]{0,127}|@sha256:[0-9a-f]{64})")
_VOLUME = re.compile(r"(?P<claim>[a-z0-9]([a-z0-9.\-]*[a-z0-9])?):(?P<folder>/[\w.\-/]*[\w.\-])")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_SECRET = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<secret>[a-z0-9][a-z0-9.\-]*)/(?P<key>[\w.\-]+)")
_NODE = re.compile(r"(?P<node>[A-Z]\w+)=(?P<cpus>[\d.]+)/(?P<memory>[\d.]+)")


@dataclasses.dataclass(frozen=True)
class Resources:
    """The limits of one step.

    Attributes:
      cpus: number of CPU cores.
      memory_gb: memory in gigabytes of 10^9 bytes, Kubernetes' `G`.
      gpus: number of accelerators.
      gpu: resource name of the accelerators.
    """

    cpus: float
    memory_gb: float
    gpus: int = 0
    gpu: str = "nvidia.com/gpu"


@dataclasses.dataclass(frozen=True)
class KubeflowConfig:
    """How steps run on Kubeflow Pipelines.

    Attributes:
      image: container image of every step, fixed by a tag or digest: `NAME:TAG` or `NAME@sha256:DIGEST`.
      volumes: volume claims that every step mounts, each as `CLAIM:/FOLDER`.
      environment: environment variables of every step, each as `NAME=VALUE`; readable in the compiled file, and
        nowhere else.
      secrets: environment variables of every step with values from Kubernetes secrets, each as `NAME=SECRET/KEY`.
      serving_folder: where versions are pushed: on a volume, or at `s3://` or `gs://`; null means
        `serving/crowdflow` on the first volume.
      checkpoints: where interrupted trainings are saved: on a volume, or at `s3://` or `gs://`; null means
        `checkpoints` on the first volume.
      cpus: limit of CPU cores per step.
      memory_gb: limit of memory per step, in gigabytes of 10^9 bytes.
      trainer_cpus: limit of CPU cores for the Trainer and Refit.
      trainer_memory_gb: limit of memory for both, in gigabytes of 10^9 bytes.
      trainer_gpus: number of accelerators for each of both; 0 trains on the CPU.
      gpu: resource name of the accelerators.
      nodes: limits of single steps, each as `NODE=CPUS/MEMORY_GB`, such as `FlowExampleGen=8/32`.
      retries: how often a step that failed is started again, after 1, 2, 4, ... minutes.
      step_hours: limit of one attempt of a step, after which it counts as failed.
      deadline_hours: limit of the whole run; null is none. Needs Kubeflow Pipelines 2.17.
      pods: where and as whom steps run, each as `NODE.FIELD=VALUE` with a field of Kubeflow's Kubernetes platform
        and its value in YAML, such as `Trainer.nodeSelector={labels: {pool: gpu}}`; `all` is every step. The
        default needs Kubeflow Pipelines 2.16.
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
    retries: int = 2
    step_hours: float = 12.0
    deadline_hours: Optional[float] = None
    pods: tuple[str, ...] = ("all.securityContext={runAsNonRoot: true}",)

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
        for name in ("cpus", "memory_gb", "trainer_cpus", "trainer_memory_gb", "step_hours"):
            require(getattr(self, name) > 0, f"kubeflow.{name}", "above 0", getattr(self, name))
        for name in ("trainer_gpus", "retries"):
            require(getattr(self, name) >= 0, f"kubeflow.{name}", "0 or more", getattr(self, name))
        ok = self.deadline_hours is None or self.deadline_hours > 0
        require(ok, "kubeflow.deadline_hours", "null or above 0", self.deadline_hours)
        pods.read(self.pods)
        require(self.gpu, "kubeflow.gpu", "a resource name such as nvidia.com/gpu", self.gpu)
        require_no_user("kubeflow.serving_folder", self.serving_folder)
        require_no_user("kubeflow.checkpoints", self.checkpoints)

    def public(self) -> "KubeflowConfig":
        """A copy with `***` in place of every variable's value."""
        return dataclasses.replace(self, environment=tuple(map(names_only, self.environment)))

    def mounts(self) -> dict[str, str]:
        """Maps the folder of each volume to its claim, in order."""
        matches = [_VOLUME.fullmatch(text) for text in self.volumes]
        return {posixpath.normpath(match["folder"]): match["claim"] for match in matches}

    def variables(self) -> dict[str, str]:
        """Maps the name of each plain environment variable to its value.

        Raises:
          ConfigError: a value is `***`, as in a configuration that a run saved.
        """
        found = dict(_VARIABLE.fullmatch(text).group("name", "value") for text in self.environment)
        for name, value in found.items():
            expected = f"a value of {name}, which a run's saved configuration does not have"
            require(value != HIDDEN, "kubeflow.environment", expected, f"{name}={value}")
        return found

    def secret_keys(self) -> dict[str, tuple[str, str]]:
        """Maps the name of each secret environment variable to its secret and the key in it."""
        matches = [_SECRET.fullmatch(text) for text in self.secrets]
        return {match["name"]: (match["secret"], match["key"]) for match in matches}

    def resources(self, node: str) -> Resources:
        """The limits of the step with this name."""
        trainer = node in TRAINERS
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
