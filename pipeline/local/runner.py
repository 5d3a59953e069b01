"""Runs the pipeline on this machine, under one root folder."""

import contextlib
import logging
import os
import sys
import traceback
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from crowdflow.config import Config, presets
from crowdflow.config.stack import quiet_tensorflow
from crowdflow.ingest.date_range import bounds, resolve
from crowdflow.ingest.sources import inspect_sources
from crowdflow.pipeline.beam_args import check_beam_args
from crowdflow.pipeline.local.console import LOGGER, Progress, print_outcome
from crowdflow.pipeline.local.root import Root
from crowdflow.schema import secrets
from crowdflow.schema.errors import ConfigError, CrowdFlowError
from crowdflow.storage import disk
from crowdflow.storage.addresses import is_address
from crowdflow.storage.files import isdir
from crowdflow.trainer import threads

PUSHED, FAILED, REFUSED = 0, 1, 2


def run(config: Config, beam_args: Sequence[str] = ()) -> int:
    """Runs every node, prints the results and writes `summary.json`.

    Args:
      config: the settings; `paths.root` must be set.
      beam_args: Beam options.

    Returns:
      Exit code: 0 a model was pushed, 1 the run failed, 2 the run completed and the model was refused.
    """
    console = Console(highlight=False)
    root = Root(config.paths.root)
    progress = Progress(console)
    try:
        with disk.clear_errors(root.path), root.lock():
            return _run_locked(config, root, console, progress, beam_args)
    except (CrowdFlowError, OSError) as error:
        progress.line(f"Error: {error}", "bold red")
        return FAILED


def _run_locked(
    config: Config, root: Root, console: Console, progress: Progress, beam_args: Sequence[str]
) -> int:
    from crowdflow.pipeline.local import summary

    log_file = _log_to_file(root, progress)
    config.public().save(root.config)
    outcome = summary.empty(config, ["the run has not ended, or was killed"])
    summary.write(outcome, root)
    try:
        serving = _serving(config, root)
        data = _data(config, root, progress)
        progress.line(
            f"preset {config.preset}, root {root.path}; loading TensorFlow and TFX ...", "dim"
        )
        outcome = _run_nodes(config, root, data, serving, progress, beam_args, outcome)
        summary.write(outcome, root)
        _write_metrics(outcome, root, config)
    except (Exception, KeyboardInterrupt) as error:
        reason = _reason(error, log_file, root, config)
        failed = next((n["id"] for n in outcome["nodes"] if n["state"] == "failed"), None)
        if outcome["pushed_model"]:
            reason += f"\nThe model was pushed before the run failed: {outcome['pushed_model']}"
        outcome["reasons"] = [f"{failed}: {reason}" if failed else reason]
        progress.line(f"Error{f' in {failed}' if failed else ''}: {reason}", "bold red")
        with contextlib.suppress(OSError):  # where there is no room for it the run has "not ended"
            summary.write(outcome, root)
        return FAILED
    print_outcome(console, outcome)
    return PUSHED if outcome["pushed_model"] else REFUSED


def _write_metrics(outcome: dict[str, Any], root: Root, config: Config) -> None:
    """Writes the live figures for Prometheus; where there are none, those of the last run that had some stay."""
    from crowdflow.pipeline.local.scoring import live_prometheus

    text = live_prometheus(outcome["live"], config.intervals.minutes)
    if text:
        with disk.whole_file(root.metrics) as partial:
            partial.write_text(text, encoding="utf-8")


def _reason(error: BaseException, log_file: Path, root: Root, config: Config) -> str:
    """Why a run failed, in words; the traceback of any error but a CrowdFlowError goes to the log."""
    if isinstance(error, CrowdFlowError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; the same command resumes this run."
    logging.getLogger(LOGGER).debug(traceback.format_exc())
    full = disk.full_disk(error, root.path, config.paths.serving or root.serving)
    if full:
        return f"{full} It goes on where it stopped; `crowdflow clean --root {root.path}` removes old runs."
    text = secrets.without_secrets(str(error)).strip()
    if (
        "Traceback (most recent call last)" in text
    ):  # Beam puts its worker's traceback into the message
        text = text.splitlines()[-1]
    return f"{type(error).__name__}: {text}\nThe full log is in {log_file}."


def _absolute(path: str) -> str:
    return path.rstrip("/") if is_address(path) else str(Path(path).absolute())


def _serving(config: Config, root: Root) -> str:
    """The serving folder. In an object store it is checked here, before any training.

    Raises:
      StoreError: the store does not respond, refuses access, or has no such bucket.
    """
    serving = _absolute(config.paths.serving or str(root.serving))
    if is_address(serving):
        isdir(serving)
    return serving


def _data(config: Config, root: Root, progress: Progress) -> list[str]:
    """The input paths: the configured ones, checked, or the simulated city's."""
    if config.paths.data:
        data = [_absolute(path) for path in config.paths.data]
    elif config.preset == presets.EMBEDDED:
        from crowdflow.simulation.files import CitySpec, ensure_city

        rows, cols = config.grid.rows, config.grid.cols
        spec = CitySpec(rows=rows, cols=cols, minutes=config.intervals.minutes)
        data = [str(path) for path in ensure_city(root.data, spec)]
        progress.line(f"data: a simulated city of {rows} x {cols} cells, {spec.days} days", "dim")
    else:
        raise ConfigError(
            f"preset {config.preset}: expected --data PATH (files or folders). Received none. Only "
            f"{presets.EMBEDDED} has built-in data."
        )
    resolved = resolve(data, config)
    sources = inspect_sources(resolved.paths, resolved.config)
    limits = bounds(resolved.config)
    if limits:
        days = limits.last - limits.first + 1
        last = resolved.config.range.last_date
        progress.line(f"range: {days} days up to {last}, {len(sources)} files", "dim")
    return data


def _run_nodes(
    config: Config,
    root: Root,
    data: list[str],
    serving: str,
    progress: Progress,
    beam_args: Sequence[str],
    outcome: dict[str, Any],
) -> dict[str, Any]:
    """Compiles the pipeline and runs it; `outcome` gets the nodes' states even if one fails."""
    with quiet_tensorflow():
        from ml_metadata import metadata_store
        from tfx.dsl.compiler import compiler, constants
        from tfx.orchestration import metadata
        from tfx.orchestration.local.local_dag_runner import LocalDagRunner
        from tfx.orchestration.portable import runtime_parameter_utils

        from crowdflow.pipeline.local import summary
        from crowdflow.pipeline.pipeline import NEVER_CACHED, create_pipeline

    threads.share_among_branches()
    check_beam_args(config, beam_args)
    connection = metadata.sqlite_metadata_connection_config(str(root.metadata))
    pipeline = create_pipeline(
        name=f"crowdflow-{config.preset}",
        root=str(root.artifacts),
        config=config,
        data=data,
        serving_folder=serving,
        checkpoints=str(root.checkpoints),
        metadata=connection,
        beam_args=beam_args,
    )
    compiled = compiler.Compiler().compile(pipeline)
    for node in compiled.nodes:
        if node.pipeline_node.node_info.id in NEVER_CACHED:
            node.pipeline_node.execution_options.caching_options.enable_cache = False
    run_id = uuid.uuid4().hex
    runtime_parameter_utils.substitute_runtime_parameter(
        compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
    )
    store = metadata_store.MetadataStore(connection)
    try:
        LocalDagRunner().run_with_ir(compiled)
    finally:
        progress.stop()
        outcome["nodes"] = summary.node_states(store, run_id, progress.seconds)
        outcome["pushed_model"] = summary.pushed_model(store, run_id, root)
    return summary.complete(outcome, summary.report_folder(store, run_id), root)


def _log_to_file(root: Root, progress: Progress) -> Path:
    """Sends all logs to a file under the root, and CrowdFlow's and TFX's progress to the console as well."""
    root.logs.mkdir(exist_ok=True)
    path = root.logs / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.log"
    from absl import logging as absl_logging

    absl_logging.set_verbosity(absl_logging.INFO)
    absl_logger = absl_logging.get_absl_logger()
    file = logging.FileHandler(path)
    file.handleError = lambda record: None  # on a full disk it prints a traceback for every line
    file.setFormatter(secrets.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    top = logging.getLogger()
    for handler in [*top.handlers, *absl_logger.handlers]:
        handler.close()
    absl_logger.handlers, absl_logger.propagate = [progress], True
    top.handlers = [file]
    top.setLevel(logging.INFO)
    logger = logging.getLogger(LOGGER)
    logger.handlers = [progress]
    logger.setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    if not sys.warnoptions:
        warnings.simplefilter("default")
    return path
