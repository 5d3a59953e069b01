"""CrowdFlow's artifact types. A container imports them by their names: `crowdflow.<class>`."""

from tfx.types import artifact


class FlowCounters(artifact.Artifact):
    """A folder with `counters.json`: what a node read, kept and dropped, with the reasons."""

    TYPE_NAME = "crowdflow.FlowCounters"


class FlowReport(artifact.Artifact):
    """A folder with a run's report."""

    TYPE_NAME = "crowdflow.FlowReport"
