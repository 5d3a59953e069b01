"""What a model that answers is, whether a folder or a server."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import MODEL_NAME


class Transport(Protocol):
    """Takes a request to a model."""

    def predict(self, inputs: Mapping[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        """Asks once.

        Args:
          inputs: int64, float32 or object (texts) arrays `[batch, ...]` by name.
          signature: its name.
          output: the name of the answer wanted.

        Returns:
          float32 `[batch, ...]`, or object (texts) `[batch]`.

        Raises:
          ServingError: the model refused, or does not answer; says what it said.
        """


@dataclasses.dataclass(frozen=True)
class Options:
    """How a server is asked.

    Attributes:
      name: of the model.
      version: of the model, or None for the one that the server prefers.
      label: of a version, such as `canary`, instead.
      timeout: seconds a request may take.
      retries: how often a request that finds no server, or one that is not ready, is repeated.

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
