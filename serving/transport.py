"""The interface to a model, in a folder or on a server."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import MODEL_NAME


class Transport(Protocol):
    """Sends requests to a model."""

    def predict(self, inputs: Mapping[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        """Sends one request.

        Args:
          inputs: int64, float32 or object (texts) arrays `[batch, ...]` by name.
          signature: its name.
          output: name of the output to return.

        Returns:
          float32 `[batch, ...]`, or object (texts) `[batch]`.

        Raises:
          ServingError: the model refused, with its message, or does not answer.
        """


@dataclasses.dataclass(frozen=True)
class Options:
    """How to reach a model on a server.

    Attributes:
      name: of the model.
      version: of the model, or None for the server's default.
      label: of a version, such as `canary`, instead.
      timeout: seconds until a request times out.
      retries: how often a request is retried when no server answers or it is not ready.

    Raises:
      ServingError: both version and label are given.
    """

    name: str = MODEL_NAME
    version: int | None = None
    label: str | None = None
    timeout: float = 30.0
    retries: int = 4

    def __post_init__(self):
        if self.version is not None and self.label is not None:
            raise ServingError("Expected a version or a label of the model. Received both.")
