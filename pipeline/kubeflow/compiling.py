"""Compiles the pipeline for open-source Kubeflow Pipelines (v2 backend)."""

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from crowdflow.config import Config, pods
from crowdflow.config.checks import require
from crowdflow.pipeline.beam_args import check_beam_args
from crowdflow.pipeline.kubeflow import checks
from crowdflow.pipeline.kubeflow.parameters import parameters
from crowdflow.pipeline.kubeflow.spec import Spec, complete_spec, platform_spec, tasks
from crowdflow.pipeline.libraries import libraries_fingerprint
from crowdflow.schema.errors import ConfigError
from crowdflow.schema.features import MODEL_NAME
from crowdflow.storage.addresses import is_address, is_whole

COMMAND = ("python", "-m", "crowdflow.pipeline.kubeflow.entrypoint")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")


def compile_to(config: Config, output: Path, beam_args: Sequence[str] = ()) -> list[Spec]:
    """Compiles and checks the pipeline and writes its YAML atomically.

    Args:
      config: with `kubeflow.image` and `paths.data`, and with `kubeflow.volumes` for paths outside object stores.
      output: file to write.
      beam_args: Beam options of the nodes that run on Beam.

    Returns:
      The documents: the PipelineSpec and, with volumes or secrets, the platform spec.

    Raises:
      ConfigError: the configuration cannot run on Kubeflow Pipelines, or the file cannot be written.
    """
    ok = output.suffix in (".yaml", ".yml")  # the kfp client and the UI accept no other suffix
    require(ok, "--output", "a name that ends in .yaml", str(output))
    documents = compile_documents(config, beam_args)
    text = header(documents) + yaml.safe_dump_all(documents, sort_keys=True)
    partial = output.with_name(f".{output.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(output)
    except OSError as error:
        raise ConfigError(
            f"{output}: expected a file that can be written. {error.strerror}."
        ) from None
    return documents


def compile_documents(config: Config, beam_args: Sequence[str] = ()) -> list[Spec]:
    """The checked documents of the YAML; see `compile_to`."""
    settings = config.kubeflow
    mounts = settings.mounts()
    data = [_reachable("--data", path, mounts) for path in config.paths.data]
    expected = "the input's location, on a volume or at s3:// or gs://"
    require(data, "--data", expected, list(config.paths.data))
    require(settings.image, "kubeflow.image", "the container image of the steps (--image)", None)
    first = next(iter(mounts), "")
    serving = settings.serving_folder or posixpath.join(first, "serving", MODEL_NAME)
    checkpoints = settings.checkpoints or posixpath.join(first, "checkpoints")
    where = config.evaluation.infra_validator
    expected = "off: TFX compiles no InfraValidator for Kubeflow Pipelines"
    require(where == "off", "evaluation.infra_validator", expected, where)
    name = f"crowdflow-{config.preset}"
    require(
        _NAME.fullmatch(name), "preset", "lower-case letters, digits and hyphens", config.preset
    )
    # The spec must not contain folders of this machine, and the report should show the cluster's paths.
    config = config.replace({"paths.root": None, "paths.data": data, "paths.serving": None})
    spec, uncached, libraries = _compile(
        config,
        beam_args,
        name=name,
        data=data,
        serving_folder=_reachable("kubeflow.serving_folder", serving, mounts),
        checkpoints=_reachable("kubeflow.checkpoints", checkpoints, mounts),
    )
    spec = complete_spec(
        spec,
        parameters=parameters(config, data),
        resources={task: settings.resources(task) for task in tasks(spec)},
        uncached=uncached,
        libraries=libraries,
        retries=settings.retries,
        variables=settings.variables(),
    )
    unknown = {text.split("=")[0] for text in settings.nodes} - set(tasks(spec))
    expected = f"nodes of {', '.join(tasks(spec))}"
    require(not unknown, "kubeflow.nodes", expected, sorted(unknown))
    fields = pods.read(settings.pods)
    pods.check_folders(fields, tasks(spec), mounts)
    known = [*mounts, *pods.folders(fields)]
    checks.check_spec(spec, checks.Expectations(uncached, known, settings.trainer_gpus))
    limit = {"activeDeadlineSeconds": round(settings.step_hours * 3600)}
    platform = platform_spec(
        spec,
        mounts,
        settings.secret_keys(),
        {task: limit | pods.of_node(fields, task) for task in tasks(spec)},
        settings.deadline_hours and round(settings.deadline_hours * 3600),
    )
    return [spec, platform] if platform else [spec]


def _reachable(setting: str, path: str, mounts: dict[str, str]) -> str:
    """A path that the steps can reach: on one of their volumes, or in an object store.

    Raises:
      ConfigError: it is neither.
    """
    if is_address(path):
        require(is_whole(path), setting, "s3://BUCKET/KEY or gs://BUCKET/KEY", path)
        return path.rstrip("/")
    clean = posixpath.normpath(path)
    ok = any(clean == folder or clean.startswith(f"{folder}/") for folder in mounts)
    known = ", ".join(mounts) or "none is set, --volume CLAIM:/FOLDER"
    require(ok, setting, f"a path on a volume of the steps ({known}), or s3:// or gs://", path)
    return clean


def _compile(
    config: Config, beam_args: Sequence[str], **places: Any
) -> tuple[Spec, set[str], dict[str, str]]:
    """The spec from TFX's compiler, the nodes that read more than their inputs, the libraries' hashes."""
    from tfx.components.example_gen.driver import FileBasedDriver
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    from crowdflow.pipeline.pipeline import NEVER_CACHED, create_pipeline, libraries_of

    check_beam_args(config, beam_args)
    pipeline = create_pipeline(root="", config=config, beam_args=beam_args, **places)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=config.kubeflow.image,
            default_commands=list(COMMAND),
            use_pipeline_spec_2_1=True,
        )
    )
    spec = runner.run(pipeline, write_out=False)["pipelineSpec"]
    uncached = {n.id for n in pipeline.components if issubclass(n.DRIVER_CLASS, FileBasedDriver)}
    uncached |= {node for node in NEVER_CACHED if node in tasks(spec)}
    libraries = {n.id: libraries_fingerprint(libraries_of(n)) for n in pipeline.components}
    return spec, uncached, libraries


def header(documents: Sequence[Spec]) -> str:
    """The comment above the spec: its name and parameters, as kfp's own compiler writes them."""
    spec = documents[0]
    lines = ["# PIPELINE DEFINITION", f"# Name: {spec['pipelineInfo']['name']}", "# Inputs:"]
    for name, entry in sorted(spec["root"]["inputDefinitions"]["parameters"].items()):
        kind = {"STRING": "str", "NUMBER_DOUBLE": "float"}[entry["parameterType"]]
        lines.append(f"#    {name}: {kind} [Default: {entry['defaultValue']!r}]")
    return "\n".join(lines) + "\n"
