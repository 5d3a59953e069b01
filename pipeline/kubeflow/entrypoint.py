"""The entry point of a step's container: reads Kubeflow's ExecutorInput, runs the node, writes the ExecutorOutput.

TFX's own entry point does not work with open-source Kubeflow Pipelines: it fails on an artifact that the backend
adds, and TensorFlow cannot read the addresses that it passes on. It also imports every component of TFX, which
takes longer than most steps: this one imports what the node's executor needs.
`crowdflow.pipeline.kubeflow.spec` writes its options into the spec.
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

from absl import logging as absl_logging

from crowdflow.pipeline.kubeflow import executor_input, light_imports, shown, spec
from crowdflow.pipeline.kubeflow.parameters import apply_parameters
from crowdflow.schema.errors import CrowdFlowError
from crowdflow.schema.secrets import Formatter, without_secrets
from crowdflow.trainer import threads

INVOCATION_OPTION = "--json_serialized_invocation_args"

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
    """Prepares the ExecutorInput, runs the node's executor, and writes the ExecutorOutput.

    Raises:
      CrowdFlowError: a parameter or the data cannot be used.
    """
    root = executor_input.mount_root()
    given = json.loads(options.json_serialized_invocation_args)
    declared = json.loads(options.json_serialized_inputs_spec_args)
    given = executor_input.with_types(given, declared)
    given = executor_input.localize(given, root)
    made = given["outputs"]["artifacts"]
    given = executor_input.keep_declared(given, options.outputs)
    inputs = given["inputs"]
    inputs["parameterValues"] = apply_parameters(inputs.get("parameterValues", {}))
    _remove_earlier_attempt(given)
    log.info("%s: %s", options.node, options.executor_class_path)
    output = _execute(options.executor_class_path, given, declared, beam_args)
    # A Pusher that pushes nothing writes nothing, and newer launchers fail on a missing output.
    for folder in _folders(given):
        os.makedirs(folder, exist_ok=True)
    if names := spec.SHOWN.get(options.node):
        [report] = made[shown.REPORT]["artifacts"]
        output["artifacts"] |= shown.show(Path(report["uri"]), {name: made[name] for name in names})
    output_file = Path(given["outputs"]["outputFile"])
    output_file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(executor_input.globalize(output, root))
    output_file.write_text(text, encoding="utf-8")


def _execute(
    class_path: str, given: dict[str, Any], declared: dict[str, Any], beam_args: Sequence[str]
) -> dict[str, Any]:
    """Runs an executor; returns the ExecutorOutput."""
    executor_class = light_imports.import_executor(class_path)

    from crowdflow.pipeline.kubeflow import artifacts

    absl_logging.set_verbosity(absl_logging.INFO)
    names: artifacts.Names = {}
    inputs, outputs = (
        artifacts.parse_artifacts(given[side].get("artifacts", {}), names)
        for side in ("inputs", "outputs")
    )
    properties = artifacts.parse_parameters(
        given["inputs"]["parameterValues"], declared.get("parameters", {})
    )
    task = Path(given["outputs"]["outputFile"]).parent
    context = executor_class.Context(unique_id=task.name, tmp_dir=str(task / ".temp"))
    context.beam_pipeline_args = list(beam_args)  # asked for by the executors on Beam alone
    executor_class(context).Do(inputs, outputs, properties)
    return artifacts.to_output(outputs, names)


def _folders(given: dict[str, Any]) -> list[str]:
    entries = given["outputs"]["artifacts"].values()
    return [artifact["uri"] for entry in entries for artifact in entry["artifacts"]]


def _remove_earlier_attempt(given: dict[str, Any]) -> None:
    """Removes what an attempt that ended half-way left: later steps would take it for this one's."""
    for folder in _folders(given):
        shutil.rmtree(folder, ignore_errors=True)
    Path(given["outputs"]["outputFile"]).unlink(missing_ok=True)


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
    return parser


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
