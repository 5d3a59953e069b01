"""LastPushedModel: finds the model that a new one must not be worse than."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.last_pushed_model.driver import Driver
from crowdflow.components.last_pushed_model.executor import Executor


class LastPushedModelSpec(ComponentSpec):
    """Inputs, outputs and parameters of LastPushedModel."""

    PARAMETERS = {
        "serving_folder": ExecutionParameter(type=str),
        "config": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "windows": ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"baseline": ChannelParameter(type=standard_artifacts.Model)}


class LastPushedModel(base_component.BaseComponent):
    """Finds the best of the last versions in the serving folder that can forecast today's windows.

    Of a version that was trained again on all windows, the model that had been approved is taken: it has not seen
    the test days. Copies of the candidate do not count. If there is no such version, the baseline is the best
    naive forecast as a SavedModel, so the Evaluator always has one. No TFX `Resolver`: open-source Kubeflow cannot
    run one.

    Example:
      ```
      last_pushed = LastPushedModel(
          model=trainer.outputs["model"],
          windows=window_gen.outputs["windows"],
          serving_folder="runs/bikenyc/serving",
          config=config.section("grid", "intervals", "ingest", "windows", "evaluation"),
          code_fingerprint=fingerprint("crowdflow.components.last_pushed_model.executor"),
      )
      ```
    """

    SPEC_CLASS = LastPushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        windows: types.BaseChannel,
        serving_folder: str,
        config: str,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          model: the candidate.
          windows: WindowGen's output; the fallback is chosen on its `test` split.
          serving_folder: where the Pusher puts versions.
          config: JSON of the sections grid, intervals, ingest, windows and evaluation.
          code_fingerprint: of the executor's code.
        """
        super().__init__(
            LastPushedModelSpec(
                model=model,
                windows=windows,
                serving_folder=serving_folder,
                config=config,
                code_fingerprint=code_fingerprint,
                baseline=types.Channel(type=standard_artifacts.Model),
            )
        )
