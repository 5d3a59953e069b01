"""The errors a user is meant to read: one clear message, no traceback."""


class CrowdFlowError(Exception):
    """Base of every error that says what was expected, what was received and where."""


class ConfigError(CrowdFlowError, ValueError):
    """A configuration value that cannot be used."""


class DataError(CrowdFlowError, ValueError):
    """Input data that cannot be used; the message names file and place."""


class DataNotFoundError(CrowdFlowError, FileNotFoundError):
    """An input file or folder that is not there."""


class StoreError(CrowdFlowError, RuntimeError):
    """An object store that does not answer, refuses, or lacks the bucket; the message names the address."""


class ValidationError(CrowdFlowError, ValueError):
    """Frames that break the data contract; the message spells the anomalies out."""


class RootBusyError(CrowdFlowError, RuntimeError):
    """Another run holds the root folder."""


class ServingError(CrowdFlowError, RuntimeError):
    """A pushed model that is not there, does not answer or refuses; the message has what it said."""


class SubmitError(CrowdFlowError, RuntimeError):
    """Kubeflow Pipelines is not there, or refuses; the message has what it said."""
