"""Beam options for several processes or another runner, as the section `beam` of a configuration."""

from typing import NamedTuple

import yaml

from crowdflow.schema.errors import ConfigError

IMAGE = "IMAGE"


class BeamPreset(NamedTuple):
    """The options of a runner.

    Attributes:
      description: one line.
      options: for all nodes; words in capitals are placeholders.
    """

    description: str
    options: tuple[str, ...]


# With the image named as SDK container, TFX stages no package of its own: the image contains everything.
PRESETS = {
    "local": BeamPreset(
        "this machine, one process per core",
        ("--direct_running_mode=multi_processing", "--direct_num_workers=0"),
    ),
    "flink": BeamPreset(
        "a Flink cluster whose task managers start the image with Docker",
        (
            "--runner=FlinkRunner",
            "--flink_master=FLINK_JOBMANAGER:8081",
            "--flink_version=1.19",
            "--parallelism=8",
            "--environment_type=DOCKER",
            f"--environment_config={IMAGE}",
            f"--sdk_container_image={IMAGE}",
        ),
    ),
    "flink-kubernetes": BeamPreset(
        "a Flink cluster whose task managers have the image as a sidecar, started as a worker pool",
        (
            "--runner=FlinkRunner",
            "--flink_master=FLINK_JOBMANAGER:8081",
            "--flink_version=1.19",
            "--parallelism=8",
            "--environment_type=EXTERNAL",
            "--environment_config=localhost:50000",
            f"--sdk_container_image={IMAGE}",
        ),
    ),
    "spark": BeamPreset(
        "a Spark cluster, through Beam's Spark job server",
        (
            "--runner=PortableRunner",
            "--job_endpoint=SPARK_JOB_SERVER:8099",
            "--artifact_endpoint=SPARK_JOB_SERVER:8098",
            "--environment_type=DOCKER",
            f"--environment_config={IMAGE}",
            f"--sdk_container_image={IMAGE}",
        ),
    ),
    "dataflow": BeamPreset(
        "Google Cloud Dataflow",
        (
            "--runner=DataflowRunner",
            "--project=PROJECT",
            "--region=REGION",
            "--temp_location=gs://BUCKET/tmp",
            "--experiments=use_runner_v2",
            f"--sdk_container_image={IMAGE}",
            "--machine_type=n2-standard-4",
            "--max_num_workers=10",
        ),
    ),
}


def as_yaml(name: str) -> str:
    """The section `beam` of a configuration.

    Raises:
      ConfigError: there is no such preset.
    """
    if name not in PRESETS:
        expected = ", ".join(PRESETS)
        raise ConfigError(f"beam options: expected one of {expected}. Received: {name!r}.")
    preset = PRESETS[name]
    return f"# {preset.description}\n" + yaml.safe_dump({"beam": {"all": list(preset.options)}})
