"""WindowGen: turns flow frames into windows, split by target time."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.window_gen.executor import Executor


class WindowGenSpec(ComponentSpec):
    """Inputs, outputs and parameters of WindowGen."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "holidays": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "verdict": ChannelParameter(type=FlowCounters),
    }
    OUTPUTS = {
        "windows": ChannelParameter(type=standard_artifacts.Examples),
        "counters": ChannelParameter(type=FlowCounters),
    }


class WindowGen(base_beam_component.BaseBeamComponent):
    """Turns frames into windows: closeness, period, trend, target, naive forecasts and covariates.

    A window exists only if every interval it needs exists; dropped windows are counted by the missing lag
    in `counters`. The splits are `train`, `eval` and `test`, by target time.

    Example:
      ```
      window_gen = WindowGen(
          examples=example_gen.outputs["examples"],
          verdict=gate.outputs["verdict"],
          config=config.section("grid", "intervals", "ingest", "windows", "split"),
          holidays=json.dumps(holiday_dates(config.transform)),
          code_fingerprint=fingerprint("crowdflow.components.window_gen.executor"),
      )
      ```
    """

    SPEC_CLASS = WindowGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        verdict: types.BaseChannel,
        config: str,
        holidays: str,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          examples: frames, one split `all`.
          verdict: the validation gate's output: no window is made before the frames passed.
          config: JSON of the sections grid, intervals, ingest, windows and split.
          holidays: JSON of the dates YYYY-MM-DD of `transform.holiday_country`'s table, for naive forecasts.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        super().__init__(
            WindowGenSpec(
                examples=examples,
                verdict=verdict,
                config=config,
                holidays=holidays,
                code_fingerprint=code_fingerprint,
                windows=types.Channel(type=standard_artifacts.Examples),
                counters=types.Channel(type=FlowCounters),
            )
        )
