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
      start: what must run before, a line each.
    """

    description: str
    options: tuple[str, ...]
    start: tuple[str, ...] = ()


# Workers stay between the stages of a job; without it each stage imports everything anew.
_KEPT_WORKERS = "--environment_cache_millis=300000"
_FLINK = (
    "Flink 1.19; this machine starts Beam's job server, beam-runners-flink-1.19-job-server, with Java.",
    "Flink's config.yaml: taskmanager.memory.network.min and max: 400m or more, and",
    "taskmanager.network.sort-shuffle.min-buffers: 64, or jobs end with 'Insufficient number of network buffers'.",
)


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
            _KEPT_WORKERS,
            f"--environment_config={IMAGE}",
            f"--sdk_container_image={IMAGE}",
        ),
        _FLINK,
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
            _KEPT_WORKERS,
            f"--sdk_container_image={IMAGE}",
        ),
        (
            *_FLINK,
            "Beside every task manager, and beside no two: /opt/apache/beam/boot --worker_pool, of the image.",
        ),
    ),
    "spark": BeamPreset(
        "a Spark cluster, through Beam's Spark job server",
        (
            "--runner=PortableRunner",
            "--job_endpoint=SPARK_JOB_SERVER:8099",
            "--artifact_endpoint=SPARK_JOB_SERVER:8098",
            "--environment_type=DOCKER",
            _KEPT_WORKERS,
            f"--environment_config={IMAGE}",
            f"--sdk_container_image={IMAGE}",
        ),
        (
            "Spark 3.5 (Scala 2.12), and Beam's job server, with Docker or as a jar:",
            "docker run --net=host apache/beam_spark3_job_server:BEAM_VERSION",
            "  --spark-master-url=spark://SPARK_MASTER:7077",
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
    lines = [preset.description, *preset.start]
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(
        {"beam": {"all": list(preset.options)}}
    )
