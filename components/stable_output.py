"""For nodes that look at something outside on every run, and often find what they found before.

Such a node is never cached: it always runs. But the nodes after it are keyed by its artifact, and a new one
would make them run again for nothing. So its driver gives the earlier artifact where its state is the same.
"""

import abc
import copy

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base import base_driver
from tfx.dsl.io import fileio
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from crowdflow.components.state import STATE


class StableOutputDriver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Driver of a node with one output, for orchestrators that run drivers, as the local runner does.

    A component insists on the older of the two interfaces, the launcher calls the newer.
    """

    def __init__(self, metadata_handle):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)

    @abc.abstractmethod
    def state(self, execution_info: data_types.ExecutionInfo) -> str:
        """What the node would find now, as the text that its executor writes as `STATE`."""

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Chooses the output artifact: an earlier one with the same state, inputs and code, or a new one."""
        [(key, [output])] = execution_info.output_dict.items()
        earlier = self._find(execution_info)
        result = driver_output_pb2.DriverOutput()
        proto = earlier or copy.deepcopy(output.mlmd_artifact)
        result.output_artifacts[key].artifacts.append(proto)
        return result

    def _find(self, info: data_types.ExecutionInfo) -> metadata_store_pb2.Artifact | None:
        state, event = self.state(info), metadata_store_pb2.Event
        parents = {a.id for artifacts in info.input_dict.values() for a in artifacts}
        with self._mlmd_connection as handle:
            store = handle.store
            try:
                executions = store.get_executions_by_type(info.pipeline_node.node_info.type.name)
            except errors.NotFoundError:
                return None
            complete = metadata_store_pb2.Execution.COMPLETE
            done = [e.id for e in executions if e.last_known_state == complete]
            for execution in sorted(done, reverse=True):
                events = store.get_events_by_execution_ids([execution])
                inputs = {e.artifact_id for e in events if e.type == event.INPUT}
                outputs = [e.artifact_id for e in events if e.type == event.OUTPUT]
                if inputs != parents:
                    continue
                for artifact in store.get_artifacts_by_id(outputs):
                    if artifact.custom_properties[STATE].string_value == state and _is_there(
                        artifact
                    ):
                        return artifact
        return None


def _is_there(artifact: metadata_store_pb2.Artifact) -> bool:
    live = artifact.state == metadata_store_pb2.Artifact.LIVE
    return live and fileio.exists(artifact.uri)
