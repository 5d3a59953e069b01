"""Pusher's driver, which only the local runner runs."""

from tfx.orchestration.portable import data_types

from crowdflow.components.pusher.executor import model_folder, pushed_state, serving_folder
from crowdflow.components.stable_output import StableOutputDriver


class Driver(StableOutputDriver):
    """Driver of Pusher."""

    def state(self, execution_info: data_types.ExecutionInfo) -> str:
        """The candidate's state in the serving folder."""
        model = model_folder(execution_info.input_dict)
        return pushed_state(model, serving_folder(execution_info.exec_properties))
