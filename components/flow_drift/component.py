"""FlowDrift: how far the newest flows have drifted from the last pushed model's training data."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_drift.executor import Executor


class FlowDriftSpec(ComponentSpec):
    """Inputs, outputs and parameters of FlowDrift."""

    PARAMETERS = {
        "schema_text": ExecutionParameter(type=str),
        "config": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "windows": ChannelParameter(type=standard_artifacts.Examples),
        "baseline": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"drift": ChannelParameter(type=FlowCounters)}


class FlowDrift(base_component.BaseComponent):
    """Compares the newest flows with the training data and writes `drift.json`; never stops a run.

    The statistics of the training are in the model's own folder, which LastPushedModel copies: so they are found
    by no more than the serving folder. The newest data are the last `drift.days` days of the test windows.
    """

    SPEC_CLASS = FlowDriftSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        windows: types.BaseChannel,
        baseline: types.BaseChannel,
        schema_text: str,
        config: str,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          windows: WindowGen's output; `test` is compared.
          baseline: LastPushedModel's output.
          schema_text: with the drift comparators.
          config: JSON of the sections grid, intervals, windows and drift.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        super().__init__(
            FlowDriftSpec(
                windows=windows,
                baseline=baseline,
                schema_text=schema_text,
                config=config,
                code_fingerprint=code_fingerprint,
                drift=types.Channel(type=FlowCounters),
            )
        )
