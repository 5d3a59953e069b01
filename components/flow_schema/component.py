"""FlowSchema: the schemas of frames and windows."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.flow_schema.executor import Executor


class FlowSchemaSpec(ComponentSpec):
    """Outputs and parameters of FlowSchema."""

    PARAMETERS = {
        "frame_text": ExecutionParameter(type=str),
        "window_text": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        "frame_schema": ChannelParameter(type=standard_artifacts.Schema),
        "window_schema": ChannelParameter(type=standard_artifacts.Schema),
    }


class FlowSchema(base_component.BaseComponent):
    """Writes the schemas of frames and windows, as `components.flow_schema.render` makes them.

    Their texts are parameters, so the cache is keyed by content (an imported file's content is not).
    """

    SPEC_CLASS = FlowSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, frame_text: str, window_text: str, code_fingerprint: str):
        """Constructs the component.

        Args:
          frame_text: the schema of frames.
          window_text: the schema of windows.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        super().__init__(
            FlowSchemaSpec(
                frame_text=frame_text,
                window_text=window_text,
                code_fingerprint=code_fingerprint,
                frame_schema=types.Channel(type=standard_artifacts.Schema),
                window_schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
