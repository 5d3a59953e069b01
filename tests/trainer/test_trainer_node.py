"""What the Trainer node writes: a model, its account and its history."""

import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from worlds.small_models import graph_of

from crowdflow.schema import features
from crowdflow.schema.features import ACCOUNT_FILE
from crowdflow.trainer.inputs import raw_inputs
from crowdflow.trainer.model import build_model, copy_weights

SHAPE = (2, 4, 3, 2)  # [h, H, W, 2] of the tiny world
LOW, HIGH = 2.0, 40.0  # of its train part
EXTERNAL = 7 + 1 + 24 + 1 + 48 + 17 + 2


def test_a_training_accounts_for_its_settings_and_its_last_target(world, trained):
    account = json.loads((trained / "Format-Serving" / ACCOUNT_FILE).read_text())
    assert account["config"]["training"]["precision"] == "mixed_bfloat16"
    assert account["config"]["windows"] == world.config.to_dict()["windows"]
    served = tf.saved_model.load(str(trained / "Format-Serving")).signatures["account"]
    assert json.loads(served(query=tf.constant([""]))["account"].numpy()[0]) == account
    times = np.concatenate([world.raw[split]["target_time"] for split in ("train", "eval")])
    steps = (world.config.windows.horizon - 1) * world.config.intervals.minutes
    assert account["trained_until"] == max(times) + steps


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory, as_json):
    """What the Trainer node does, two members in bfloat16."""
    from tfx.components.trainer.fn_args_utils import FnArgs

    from crowdflow.trainer.run_fn import run_fn

    folder = tmp_path_factory.mktemp("trained")
    settings = {"precision": "mixed_bfloat16", "epochs": 1, "final_epochs": 1}
    settings = {f"training.{k}": v for k, v in settings.items()} | {"model.members": 2}
    config = world.config.replace(settings)
    run_fn(
        FnArgs(
            train_files=world.files("train"),
            eval_files=world.files("eval"),
            transform_graph_path=str(world.folder / "transform"),
            serving_model_dir=str(folder / "Format-Serving"),
            model_run_dir=str(folder / "run"),
            custom_config={
                "config": as_json(config),
                "holidays": [],
                "code_fingerprint": "code",
                "checkpoints": str(folder / "checkpoints"),
            },
        )
    )
    return folder


def test_the_trainer_node_exports_float32_though_it_trains_in_bfloat16(world, trained):
    account = json.loads((trained / "run" / features.HISTORY_FILE).read_text())
    assert account["precision"] == "mixed_bfloat16"
    graph = graph_of(trained / "Format-Serving")
    nodes = [
        *graph.graph_def.node,
        *(n for f in graph.graph_def.library.function for n in f.node_def),
    ]
    types = {
        v.type for node in nodes for v in node.attr.values() if v.WhichOneof("value") == "type"
    }
    assert tf.float32.as_datatype_enum in types
    assert tf.bfloat16.as_datatype_enum not in types
    convolutions = [node for node in nodes if node.op == "Conv2D"]
    assert {node.attr["T"].type for node in convolutions} == {tf.float32.as_datatype_enum}
    assert len(convolutions) >= 2 * 3 * 4


def test_the_trainer_node_tells_what_it_did(trained):
    account = json.loads((trained / "run" / features.HISTORY_FILE).read_text())
    epochs = [(e["member"], e["phase"]) for e in account["history"]]
    assert epochs == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert account["scaling"] == {"min": LOW, "max": HIGH}
    assert re.search(r"CPU|GPU", account["device"])
    as_trained, as_exported = account["eval_rmse"].values()
    assert 0 < abs(as_trained - as_exported) < 0.02  # bfloat16 and float32
    saved = [np.load(path) for path in checkpoints_of(trained)]
    weights = [file[n] for file in saved for n in file.files if n.startswith("weights_")]
    assert account["parameters"] == sum(w.size for w in weights)
    assert list((trained / "run").rglob("events.out.tfevents*"))


def checkpoints_of(trained):
    return [trained / path for path in sorted(trained.glob("checkpoints/*/[12]/checkpoint.npz"))]


def test_the_exported_model_is_the_mean_of_the_trained_members(world, splits, trained):
    checkpoints = checkpoints_of(trained)
    assert len(checkpoints) == 2
    answers = []
    for path in checkpoints:
        saved = np.load(path)
        sizes = world.config.model, world.config.windows, *SHAPE[1:3], EXTERNAL
        as_trained, member = build_model(*sizes, dtype="mixed_bfloat16"), build_model(*sizes)
        as_trained.set_weights([saved[n] for n in sorted(saved.files) if n.startswith("weights_")])
        copy_weights(as_trained, member)
        inputs = {name: splits["eval"][name] for name in member.input}
        answers.append(keras.ops.convert_to_numpy(member(inputs, training=False)))
    assert np.abs(answers[0] - answers[1]).max() > 0.01  # seeds of their own
    flows = np.maximum((sum(answers) / 2 + 1) / 2 * (HIGH - LOW) + LOW, 0)
    exported = tf.saved_model.load(str(trained / "Format-Serving"))
    order = np.argsort(world.raw["eval"]["target_time"])  # as the transformed ones are
    raw = {n: tf.constant(world.raw["eval"][n][order]) for n in raw_inputs(world.config)}
    served = exported.signatures["serving_default"](**raw)["flow"].numpy()
    np.testing.assert_allclose(served, flows, rtol=1e-4, atol=1e-3)
