"""Connects to a model by its address."""

from typing import Any

from crowdflow.schema.errors import ServingError
from crowdflow.serving.folder import ModelFolder
from crowdflow.serving.rest import RestServer
from crowdflow.serving.transport import Options, Transport
from crowdflow.storage.addresses import is_address
from crowdflow.storage.store_path import as_path


def connect(address: str, **options: Any) -> Transport:
    """Returns a transport to the model at an address.

    Args:
      address: a folder, local or `s3://` or `gs://` (a SavedModel, or version folders of which the newest whole
        one is taken), `http://host:8501` (REST) or `grpc://host:8500`; with TLS `https://` and `grpcs://`.
      **options: of `Options`; of a folder the version alone matters.

    Raises:
      ServingError: no model is there, or the address is of no known kind.
      ConfigError: the options do not fit the address.
    """
    asked = Options(**options)
    scheme, separator, _ = address.partition("://")
    if not separator or is_address(address):
        if asked.label or asked.token or asked.token_file or asked.ca_file:
            raise ServingError(
                f"{address}: expected a server's address with a label, a token or a CA file, not a folder."
            )
        return ModelFolder(as_path(address), asked.version)
    if scheme in ("http", "https"):
        return RestServer(address, **options)
    if scheme in ("grpc", "grpcs"):
        from crowdflow.serving.grpc_server import GrpcServer  # imports TensorFlow, 10 s

        return GrpcServer(address, **options)
    raise ServingError(
        f"{address}: expected a folder, http://host:8501 (REST), grpc://host:8500, or a folder at s3:// or "
        f"gs://. Received {scheme}://."
    )
