"""A Pusher that pushes whole versions, each model once, and records what their tests promised."""

from typing import Any, Optional

from tfx import components, types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter
from tfx.utils import json_utils

from crowdflow.components.pusher.driver import Driver
from crowdflow.components.pusher.executor import BASELINE, EVALUATION, Executor


class PusherSpec(standard_component_specs.PusherSpec):
    """TFX's, with what the model was compared with and the Evaluator's output."""

    INPUTS = standard_component_specs.PusherSpec.INPUTS | {
        BASELINE: ChannelParameter(type=standard_artifacts.Model),
        EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }


class Pusher(components.Pusher):
    """TFX's Pusher, whose pushes are atomic and come with a line in the live record.

    The errors of the test are the promise that later runs compare the pushed model's live errors with.
    """

    SPEC_CLASS = PusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        baseline: types.BaseChannel,
        evaluation: types.BaseChannel,
        push_destination: pusher_pb2.PushDestination,
        custom_config: dict[str, Any],
        model_blessing: Optional[types.BaseChannel] = None,
        infra_blessing: Optional[types.BaseChannel] = None,
    ):
        """Constructs the component.

        Args:
          model: to push.
          baseline: LastPushedModel's output.
          evaluation: the Evaluator's output, of the approved model.
          push_destination: the serving folder.
          custom_config: `push_older` and the fingerprint of the code.
          model_blessing: the Evaluator's verdict; None pushes without one.
          infra_blessing: InfraValidator's verdict, if it runs.
        """
        base_component.BaseComponent.__init__(
            self,
            PusherSpec(
                model=model,
                baseline=baseline,
                evaluation=evaluation,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                push_destination=push_destination,
                custom_config=json_utils.dumps(custom_config),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            ),
        )
