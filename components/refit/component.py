"""Refit: the model that is pushed has seen everything."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.refit.executor import Executor


class RefitSpec(ComponentSpec):
    """Inputs, outputs and parameters of Refit."""

    PARAMETERS = {
        "config": ExecutionParameter(type=str),
        "holidays": ExecutionParameter(type=str),
        "checkpoints": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "windows": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "baseline": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"refitted": ChannelParameter(type=standard_artifacts.Model)}


class Refit(base_component.BaseComponent):
    """Trains an approved model once more with the same settings, on all windows, the test days included.

    The output is the model to push. The approved one lies in it, in `assets.extra/approved`; later runs compare
    with that one, because it has not seen the test days. The new one is checked against it on the test days: if it
    is worse there, though it has seen them, or is not finite, it is not taken. Then, and where the candidate was
    not approved, and where `evaluation.refit` is off, the output is the candidate as it is.

    Example:
      ```
      refit = Refit(
          model=trainer.outputs["model"],
          model_run=trainer.outputs["model_run"],
          windows=window_gen.outputs["windows"],
          transform_graph=transform.outputs["transform_graph"],
          blessing=evaluator.outputs["blessing"],
          baseline=last_pushed_model.outputs["baseline"],
          config=config.section(*SHAPES_A_MODEL, "evaluation"),
          holidays=json.dumps(holiday_dates(config.transform)),
          checkpoints="runs/bikenyc/checkpoints",
          code_fingerprint=fingerprint("crowdflow.components.refit.executor"),
      )
      ```
    """

    SPEC_CLASS = RefitSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        windows: types.BaseChannel,
        transform_graph: types.BaseChannel,
        blessing: types.BaseChannel,
        baseline: types.BaseChannel,
        config: str,
        holidays: str,
        checkpoints: str,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          model: the candidate.
          model_run: of its training, whose history says for how many epochs to train.
          windows: WindowGen's output, all splits.
          transform_graph: Transform's output.
          blessing: the Evaluator's verdict on the candidate.
          baseline: LastPushedModel's output, with the live record, which the quantiles follow.
          config: JSON of the sections that shape a model, and of evaluation.
          holidays: JSON of the dates YYYY-MM-DD of `transform.holiday_country`'s table.
          checkpoints: folder for the state of interrupted trainings.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        super().__init__(
            RefitSpec(
                model=model,
                model_run=model_run,
                windows=windows,
                transform_graph=transform_graph,
                blessing=blessing,
                baseline=baseline,
                config=config,
                holidays=holidays,
                checkpoints=checkpoints,
                code_fingerprint=code_fingerprint,
                refitted=types.Channel(type=standard_artifacts.Model),
            )
        )
