"""What a model that answers is, whether a folder or a server."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from components.addresses import is_address
from components.errors import ServingError
from pipeline.root import MODEL_NAME


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


def connect(address: str, **options: Any) -> Transport:
    """The model at an address.

    Args:
      address: a folder, local or `s3://` or `gs://` (a SavedModel, or version folders of which the newest whole
        one is taken), `http://host:8501` (REST) or `grpc://host:8500`.
      **options: of `Options`; of a folder the version alone matters.

    Raises:
      ServingError: no model is there, or the address is of no known kind.
    """
    asked = Options(**options)
    scheme, separator, rest = address.partition("://")
    if not separator or is_address(address):
        from components.store_path import as_path
        from serving.folder import ModelFolder

        if asked.label is not None:
            raise ServingError(
                f"{address}: expected a server's address with a label, not a folder."
            )
        return ModelFolder(as_path(address), asked.version)
    if scheme in ("http", "https"):
        from serving.rest import RestServer

        return RestServer(address, **options)
    if scheme == "grpc":
        from serving.grpc_server import GrpcServer

        return GrpcServer(rest, **options)
    raise ServingError(
        f"{address}: expected a folder, http://host:8501 (REST), grpc://host:8500, or a folder at s3:// or "
        f"gs://. Received {scheme}://."
    )
