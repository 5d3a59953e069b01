"""Errors for users: one clear message, without a traceback."""


class CrowdFlowError(Exception):
    """Base of all errors whose message has what was expected, what was received, and where."""


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
