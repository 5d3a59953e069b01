"""TFX's Pusher with an executor that pushes whole versions, each model once."""

from tfx import components
from tfx.dsl.components.base import executor_spec

from crowdflow.components.pusher.driver import Driver
from crowdflow.components.pusher.executor import Executor


class Pusher(components.Pusher):
    """TFX's Pusher; only the executor and driver differ."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver
