"""The entry point of a step's container: reads Kubeflow's ExecutorInput, runs the node, writes the ExecutorOutput.

TFX's own entry point does not work with open-source Kubeflow Pipelines: it fails on an artifact that the backend
adds, TensorFlow cannot read the addresses that it passes on, and the nodes' drivers never run. This one corrects
that and then calls TFX's. `crowdflow.pipeline.kubeflow.spec` writes its options into the spec.
"""

import argparse
import json
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crowdflow.pipeline.kubeflow import executor_input, shown, spec
from crowdflow.pipeline.kubeflow.parameters import apply_parameters
from crowdflow.schema.errors import CrowdFlowError
from crowdflow.schema.secrets import Formatter, without_secrets
from crowdflow.trainer import threads

INVOCATION_OPTION = "--json_serialized_invocation_args"
_EXAMPLES = "examples"

log = logging.getLogger("crowdflow.kubeflow")


def main(arguments: Sequence[str]) -> int:
    """Runs a step.

    On failure the log ends with `Error in NODE:` and the message; any error but a CrowdFlowError has its traceback
    above it.

    Args:
      arguments: of the container's command.

    Returns:
      Exit code: 0 success, 1 failure.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    threads.share_among_branches()
    options, beam_args = _parser().parse_known_args(arguments)
    try:
        run_step(options, beam_args)
    except CrowdFlowError as error:
        message = str(error)
    except Exception as error:
        print(without_secrets(traceback.format_exc()), file=sys.stderr)
        message = without_secrets(f"{type(error).__name__}: {error}")
    else:
        return 0
    print(f"Error in {options.node}: {message}", file=sys.stderr, flush=True)
    return 1


def run_step(options: argparse.Namespace, beam_args: Sequence[str]) -> None:
    """Prepares the ExecutorInput, runs the node's driver and executor, and rewrites the ExecutorOutput.

    Raises:
      CrowdFlowError: a parameter or the data cannot be used.
    """
    root = executor_input.mount_root()
    given = json.loads(options.json_serialized_invocation_args)
    given = executor_input.with_types(given, json.loads(options.json_serialized_inputs_spec_args))
    given = executor_input.localize(given, root)
    made = given["outputs"]["artifacts"]
    given = executor_input.keep_declared(given, options.outputs)
    inputs = given["inputs"]
    inputs["parameterValues"] = apply_parameters(inputs.get("parameterValues", {}))
    if options.driver_class_path:
        _run_driver(options.driver_class_path, given)
    output_file = given["outputs"]["outputFile"]
    _remove_earlier_attempt(given)
    log.info("%s: %s", options.node, options.executor_class_path)

    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    arguments = argparse.Namespace(
        executor_class_path=options.executor_class_path,
        json_serialized_invocation_args=json.dumps(given),
        json_serialized_inputs_spec_args=options.json_serialized_inputs_spec_args,
    )
    kubeflow_v2_run_executor._run_executor(arguments, list(beam_args))
    # A Pusher that pushes nothing writes nothing, and newer launchers fail on a missing output.
    for folder in _folders(given):
        os.makedirs(folder, exist_ok=True)
    with open(output_file, encoding="utf-8") as file:
        output = json.load(file)
    if names := spec.SHOWN.get(options.node):
        [report] = made[shown.REPORT]["artifacts"]
        output["artifacts"] |= shown.show(Path(report["uri"]), {name: made[name] for name in names})
    with open(output_file, "w", encoding="utf-8") as file:
        json.dump(executor_input.globalize(output, root), file)


def _folders(given: dict[str, Any]) -> list[str]:
    entries = given["outputs"]["artifacts"].values()
    return [artifact["uri"] for entry in entries for artifact in entry["artifacts"]]


def _remove_earlier_attempt(given: dict[str, Any]) -> None:
    """Removes what an attempt that ended half-way left in the step's outputs.

    TFX would take an output file for a driver's, and later steps an old attempt's file for this one's.
    """
    for folder in _folders(given):
        shutil.rmtree(folder, ignore_errors=True)
    Path(given["outputs"]["outputFile"]).unlink(missing_ok=True)


def _run_driver(class_path: str, given: dict[str, Any]) -> None:
    """Runs an ExampleGen's driver, which finds span and fingerprint, and sets them on the output artifact."""
    from ml_metadata.proto import metadata_store_pb2
    from tfx.components.example_gen import driver
    from tfx.utils import import_utils

    values = given["inputs"]["parameterValues"]
    resolved = import_utils.import_class_by_path(class_path)(None).resolve_exec_properties(
        dict(values), None, None
    )
    marked = metadata_store_pb2.Artifact()
    driver.update_output_artifact(resolved, marked)
    [examples] = given["outputs"]["artifacts"][_EXAMPLES]["artifacts"]
    properties = examples.setdefault("metadata", {})
    for name, value in marked.custom_properties.items():
        properties[name] = getattr(value, value.WhichOneof("value"))
    values.update({name: value for name, value in resolved.items() if value is not None})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument(spec.EXECUTOR_OPTION, required=True, help="dotted path of the executor")
    parser.add_argument(INVOCATION_OPTION, required=True, help="ExecutorInput, as JSON")
    parser.add_argument(spec.INPUTS_OPTION, required=True, help="ComponentInputsSpec, as JSON")
    parser.add_argument(spec.NODE_OPTION, required=True, help="the task's name")
    parser.add_argument(
        spec.OUTPUTS_OPTION, required=True, type=_names, help="names of the declared outputs"
    )
    parser.add_argument(
        spec.LIBRARIES_OPTION, help="fingerprint of the libraries, for Kubeflow's cache"
    )
    parser.add_argument(spec.DRIVER_OPTION, help="dotted path of the driver")
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
