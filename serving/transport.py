"""The interface to a model, in a folder or on a server."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from crowdflow.schema.errors import ServingError
from crowdflow.schema.features import MODEL_NAME
from crowdflow.serving.credentials import Access


class Transport(Protocol):
    """Sends requests to a model."""

    def predict(
        self, inputs: Mapping[str, np.ndarray], signature: str, outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Sends one request.

        Args:
          inputs: int64, float32 or object (texts) arrays `[batch, ...]` by name.
          signature: its name.
          outputs: names of those to return.

        Returns:
          By name, float32 `[batch, ...]`, or object (texts) `[batch]`.

        Raises:
          ServingError: the model refused, with its message, or does not answer.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(Access):
    """How to reach a model on a server; see `Access` for tokens and certificates.

    Attributes:
      name: of the model.
      version: of the model, or None for the server's default.
      label: of a version, such as `canary`, instead.
      timeout: seconds until a request times out.
      retries: how often a request is retried when no server answers or it is not ready.

    Raises:
      ServingError: both version and label are given.
      ConfigError: as `Access`.
    """

    name: str = MODEL_NAME
    version: int | None = None
    label: str | None = None
    timeout: float = 30.0
    retries: int = 4

    def __post_init__(self):
        super().__post_init__()
        if self.version is not None and self.label is not None:
            raise ServingError("Expected a version or a label of the model. Received both.")


def require_outputs(where: object, outputs: Iterable[str], found: Iterable[str]) -> None:
    """Raises ServingError if an answer lacks an output that was requested; names those that it has."""
    for output in outputs:
        if output not in found:
            names = ", ".join(sorted(found)) or "none"
            raise ServingError(f"{where}: expected the output {output}. Received: {names}.")
