"""Errors for users: one clear message, without a traceback."""

from typing import Any

from crowdflow.schema.secrets import without_secrets


class CrowdFlowError(Exception):
    """Base of all errors whose message has what was expected, what was received, and where.

    Whatever a message quotes, such as an address or the message of another library, it has no secrets.
    """

    def __init__(self, *args: Any):
        super().__init__(*(without_secrets(arg) if isinstance(arg, str) else arg for arg in args))


class ConfigError(CrowdFlowError, ValueError):
    """An invalid configuration value."""


class DataError(CrowdFlowError, ValueError):
    """Invalid input data; the message names the file and the place in it."""


class DataNotFoundError(CrowdFlowError, FileNotFoundError):
    """An input file or folder that does not exist."""


class StoreError(CrowdFlowError, RuntimeError):
    """An object store that does not answer, refuses access or lacks the bucket; the message names the address."""


class DiskFullError(CrowdFlowError, RuntimeError):
    """A disk without room for what is to be written; the message names the folder."""


class ValidationError(CrowdFlowError, ValueError):
    """Frames that break the data contract; the message lists the anomalies."""


class RootBusyError(CrowdFlowError, RuntimeError):
    """Another run is using the root folder."""


class ServingError(CrowdFlowError, RuntimeError):
    """A pushed model that does not exist, does not answer or refuses a request; the message quotes its answer."""


class SubmitError(CrowdFlowError, RuntimeError):
    """Kubeflow Pipelines does not answer or refuses a request; the message quotes its answer."""
