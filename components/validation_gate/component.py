"""ValidationGate: stops the run if the frames break the data contract."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.validation_gate.executor import Executor


class ValidationGateSpec(ComponentSpec):
    """Inputs, outputs and parameters of ValidationGate."""

    PARAMETERS = {"code_fingerprint": ExecutionParameter(type=str)}
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }
    OUTPUTS = {"verdict": ChannelParameter(type=FlowCounters)}


class ValidationGate(base_component.BaseComponent):
    """Stops the run and lists the anomalies, which ExampleValidator only records."""

    SPEC_CLASS = ValidationGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        anomalies: types.BaseChannel,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          statistics: StatisticsGen's output.
          schema: of the frames.
          anomalies: ExampleValidator's output.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        super().__init__(
            ValidationGateSpec(
                statistics=statistics,
                schema=schema,
                anomalies=anomalies,
                code_fingerprint=code_fingerprint,
                verdict=types.Channel(type=FlowCounters),
            )
        )
