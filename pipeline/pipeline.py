"""Wires the nodes of the pipeline.

TFX's public names are all in `tfx.v1`, which imports Google's AI Platform as well: a third of a run's start.
"""

import json
from collections.abc import Sequence
from typing import Optional

from ml_metadata.proto import metadata_store_pb2
from tfx import components
from tfx.dsl.components.base import base_beam_component, base_component
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2, transform_pb2

from crowdflow.components.flow_drift.component import FlowDrift
from crowdflow.components.flow_example_gen.component import FlowExampleGen
from crowdflow.components.flow_report.component import FlowReportGen
from crowdflow.components.flow_schema.component import FlowSchema
from crowdflow.components.flow_schema.render import render
from crowdflow.components.last_pushed_model.component import LastPushedModel
from crowdflow.components.pusher.component import Pusher
from crowdflow.components.pusher.executor import PUSH_OLDER
from crowdflow.components.refit.component import Refit
from crowdflow.components.validation_gate.component import ValidationGate
from crowdflow.components.window_gen.component import WindowGen
from crowdflow.config import Config
from crowdflow.config.beam_runner import with_runner
from crowdflow.evaluation.thresholds import eval_config
from crowdflow.flows.holiday_table import holiday_dates
from crowdflow.pipeline.fingerprint import fingerprint
from crowdflow.pipeline.infra_validator import infra_validator
from crowdflow.pipeline.libraries import libraries, libraries_fingerprint
from crowdflow.schema.features import SCALING_SPLIT
from crowdflow.schema.templates import DRIFT, FRAMES, WINDOWS

# Imported before their fingerprints are taken, so that the code that runs is the code that was hashed.
from crowdflow.trainer import preprocessing, run_fn

# The sections of the configuration that a trained model depends on.
SHAPES_A_MODEL = ("preset", "seed", "grid", "intervals", "ingest", "trips")
SHAPES_A_MODEL += ("windows", "split", "transform", "model", "training")

# The code of ours that TFX's own executors call.
CALLED = {
    "Transform": preprocessing.__name__,
    "Trainer": run_fn.__name__,
    "Evaluator": "crowdflow.evaluation.flow_errors",
}

# These nodes look at the world outside of their inputs, the serving folder or a server, so their caching is off.
NEVER_CACHED = ("LastPushedModel", "InfraValidator", "Pusher")


def create_pipeline(
    *,
    name: str,
    root: str,
    config: Config,
    data: Sequence[str],
    serving_folder: str,
    checkpoints: str,
    metadata: Optional[metadata_store_pb2.ConnectionConfig] = None,
    beam_args: Sequence[str] = (),
) -> Pipeline:
    """Wires records -> frames -> validation -> windows -> transform -> model -> evaluation -> push -> report.

    The parameters of every node that runs CrowdFlow's code include a fingerprint of that code and only those
    sections of the configuration that it reads. So a change reruns that node and the nodes that depend on it, and
    nothing else. An upgrade of a library reruns the nodes whose results depend on it, TFX's own as well.

    Args:
      name: of the pipeline, part of every cache key.
      root: folder of the artifacts.
      config: the settings.
      data: input files and folders.
      serving_folder: where approved models are pushed, one numeric folder per version.
      checkpoints: folder for the state of interrupted trainings.
      metadata: connection to MLMD; None if the orchestrator has its own.
      beam_args: Beam options of all Beam nodes; they override the configuration's.
    """
    lags = ("windows",) if config.range.weeks else ()  # they set how far before the range to read
    ingest = config.section("grid", "intervals", "ingest", "trips", "range", *lags)
    example_gen = FlowExampleGen(
        paths=data,
        config=ingest,
        code_fingerprint=fingerprint("crowdflow.components.flow_example_gen.executor"),
    )
    frames = example_gen.outputs["examples"]
    statistics = components.StatisticsGen(examples=frames)
    schemas = FlowSchema(
        frame_text=render(FRAMES, config),
        window_text=render(WINDOWS, config),
        code_fingerprint=fingerprint("crowdflow.components.flow_schema.executor"),
    )
    window_schema = schemas.outputs["window_schema"]
    validator = components.ExampleValidator(
        statistics=statistics.outputs["statistics"], schema=schemas.outputs["frame_schema"]
    )
    gate = ValidationGate(
        statistics=statistics.outputs["statistics"],
        schema=schemas.outputs["frame_schema"],
        anomalies=validator.outputs["anomalies"],
        code_fingerprint=fingerprint("crowdflow.components.validation_gate.executor"),
    )
    holidays = holiday_dates(config.transform)
    window_gen = WindowGen(
        examples=frames,
        verdict=gate.outputs["verdict"],
        config=config.section("grid", "intervals", "ingest", "windows", "split"),
        holidays=json.dumps(holidays),
        code_fingerprint=fingerprint("crowdflow.components.window_gen.executor"),
    )
    windows = window_gen.outputs["windows"]
    transform = components.Transform(
        examples=windows,
        schema=window_schema,
        preprocessing_fn=f"{preprocessing.__name__}.preprocessing_fn",
        # The scaling constants are the extremes of the train windows; readers of the windows apply the graph.
        splits_config=transform_pb2.SplitsConfig(analyze=[SCALING_SPLIT], transform=[]),
        materialize=False,
        disable_statistics=True,
        custom_config={
            "config": config.section("intervals", "ingest", "transform"),
            "holidays": holidays,
            "code_fingerprint": fingerprint(preprocessing.__name__),
        },
    )
    trainer = components.Trainer(
        run_fn=f"{run_fn.__name__}.run_fn",
        examples=windows,
        transform_graph=transform.outputs["transform_graph"],
        schema=window_schema,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "config": config.section(*SHAPES_A_MODEL),
            "holidays": holidays,
            "layout": config.range.pattern,
            "code_fingerprint": fingerprint(run_fn.__name__),
            "checkpoints": checkpoints,
        },
    )
    model = trainer.outputs["model"]
    last_pushed = LastPushedModel(
        model=model,
        windows=windows,
        serving_folder=serving_folder,
        config=config.section("grid", "intervals", "ingest", "windows", "evaluation"),
        code_fingerprint=fingerprint("crowdflow.components.last_pushed_model.executor"),
    )
    drift = FlowDrift(
        windows=windows,
        baseline=last_pushed.outputs["baseline"],
        schema_text=render(DRIFT, config),
        config=config.section("grid", "intervals", "windows", "drift"),
        code_fingerprint=fingerprint("crowdflow.components.flow_drift.executor"),
    )
    evaluator = components.Evaluator(
        examples=windows,
        model=model,
        baseline_model=last_pushed.outputs["baseline"],
        schema=window_schema,
        eval_config=eval_config(config, fingerprint("crowdflow.evaluation.flow_errors")),
        example_splits=["test"],  # the default is the split of early stopping
    )
    refit = Refit(
        model=model,
        model_run=trainer.outputs["model_run"],
        windows=windows,
        transform_graph=transform.outputs["transform_graph"],
        blessing=evaluator.outputs["blessing"],
        baseline=last_pushed.outputs["baseline"],
        config=config.section(*SHAPES_A_MODEL, "evaluation"),
        holidays=json.dumps(holidays),
        checkpoints=checkpoints,
        code_fingerprint=fingerprint("crowdflow.components.refit.executor"),
    )
    final = refit.outputs["refitted"]
    infra = infra_validator(config, final, windows)
    pusher = Pusher(
        model=final,
        baseline=last_pushed.outputs["baseline"],
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=None if config.evaluation.push_unblessed else evaluator.outputs["blessing"],
        infra_blessing=infra.outputs["blessing"] if infra else None,
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving_folder)
        ),
        custom_config={
            PUSH_OLDER: config.evaluation.push_older,
            "code_fingerprint": fingerprint("crowdflow.components.pusher.executor"),
        },
    )
    pusher.add_upstream_node(evaluator)  # an evaluation that fails stops an unblessed model, too
    nodes = [example_gen, statistics, schemas, validator, gate, window_gen, transform, trainer]
    nodes += [last_pushed, drift, evaluator, refit, *([infra] if infra else []), pusher]
    own = {"FlowReportGen": list(libraries("crowdflow.components.flow_report.component"))}
    report = FlowReportGen(
        frame_counters=example_gen.outputs["counters"],
        window_counters=window_gen.outputs["counters"],
        windows=windows,
        model=model,
        model_run=trainer.outputs["model_run"],
        baseline=last_pushed.outputs["baseline"],
        refitted=final,
        drift=drift.outputs["drift"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=evaluator.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        config=json.dumps(config.public().to_dict()),
        libraries=json.dumps({node.id: list(libraries_of(node)) for node in nodes} | own),
        code_fingerprint=fingerprint("crowdflow.components.flow_report.component"),
    )
    nodes.append(report)
    for node in nodes:  # part of the cache key, and read by no executor
        used = libraries_fingerprint(libraries_of(node))
        node.executor_spec.add_extra_flags([f"--libraries={used}"])
    _set_beam_options(nodes, config, beam_args)
    return Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=nodes,
        enable_cache=True,
        metadata_connection_config=metadata,
    )


def libraries_of(node: base_component.BaseComponent) -> dict[str, str]:
    """Name -> version of the libraries that a node's result depends on, by name."""
    called = [CALLED[node.id]] if node.id in CALLED else []
    return libraries(node.executor_spec.executor_class.__module__, *called)


def _set_beam_options(
    nodes: Sequence[base_component.BaseComponent], config: Config, beam_args: Sequence[str]
) -> None:
    """Gives each Beam node the common options, its own and the command line's; the last one wins."""
    for node in nodes:
        if isinstance(node, base_beam_component.BaseBeamComponent):
            own = getattr(config.beam.nodes, node.id)
            options = [*config.beam.all, *own, *beam_args]
            node.with_beam_pipeline_args(with_runner(options))
