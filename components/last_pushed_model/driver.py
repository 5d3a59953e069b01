"""LastPushedModel's driver, which only the local runner runs."""

from tfx.orchestration.portable import data_types

from crowdflow.components.last_pushed_model.executor import candidate_digest, state_of
from crowdflow.components.stable_output import StableOutputDriver


class Driver(StableOutputDriver):
    """Driver of LastPushedModel."""

    def state(self, execution_info: data_types.ExecutionInfo) -> str:
        """The serving folder's versions, without copies of the candidate."""
        candidate = candidate_digest(execution_info.input_dict)
        return state_of(execution_info.exec_properties, candidate)
