"""Artifact types of ours. Their names are how a container imports them: `crowdflow.<class>`."""

from tfx.types import artifact


class FlowCounters(artifact.Artifact):
    """A folder with `counters.json`: what a node read, kept and dropped, and why."""

    TYPE_NAME = "crowdflow.FlowCounters"


class FlowReport(artifact.Artifact):
    """A folder with the report of a run."""

    TYPE_NAME = "crowdflow.FlowReport"
