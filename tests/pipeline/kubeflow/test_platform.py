"""What Kubernetes has to know of the pods, read by Kubeflow's own messages of 2.17."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from worlds.every_pod_field import EVERY_FIELD

from crowdflow.config.pods import FIELDS
from crowdflow.pipeline.kubeflow.compiling import compile_documents
from crowdflow.pipeline.kubeflow.spec import tasks
from crowdflow.schema.errors import ConfigError

PROTOS = Path(__file__).parents[2] / "kfp_protos"
UV = Path(__file__).parents[3] / "scripts" / "uv.sh"


@pytest.fixture(scope="session")
def parse(tmp_path_factory):
    """Parses documents with the messages of Kubeflow Pipelines 2.17: label -> fields, and the deadline."""
    folder = tmp_path_factory.mktemp("kfp") / "packages"
    install = [UV, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", folder]
    done = subprocess.run(
        [*install, "-r", PROTOS / "requirements.txt"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"Kubeflow's messages cannot be installed: {done.stderr.strip()[-200:]}")

    def run(documents):
        done = subprocess.run(
            [sys.executable, "-S", PROTOS / "parse.py", folder],
            input=json.dumps(documents),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        *lines, deadline = done.stdout.splitlines()
        fields = dict(line.split(" ", 1) for line in lines)
        return {k: json.loads(v) for k, v in fields.items()}, int(deadline.split()[1])

    return run


def test_every_field_reaches_its_step(config, parse):
    assert {text.split("=")[0].split(".")[1] for text in EVERY_FIELD} == set(FIELDS)
    settings = {"pods": list(EVERY_FIELD), "deadline_hours": 20, "step_hours": 1.5, "retries": 4}
    documents = compile_documents(
        config.replace({f"kubeflow.{name}": value for name, value in settings.items()})
    )
    found, deadline = parse(documents)
    assert deadline == 72_000
    trainer, pusher = found["Trainer_executor"], found["Pusher_executor"]
    assert trainer["activeDeadlineSeconds"] == "7200" and pusher["activeDeadlineSeconds"] == "5400"
    assert trainer["nodeSelector"] == {"labels": {"pool": "batch", "gpu": "h100"}}
    assert trainer["enabledSharedMemory"] == {"volumeName": "shm", "size": "8Gi"}
    [affinity] = trainer["nodeAffinity"]
    assert affinity["weight"] == 50
    assert affinity["matchExpressions"][0]["values"] == ["a", "b"]
    assert trainer["podAffinity"][0]["anti"] is True
    assert [one.get("tolerationSeconds") for one in trainer["tolerations"]] == [None, "60"]
    assert pusher["securityContext"] == {
        "runAsUser": "10001",
        "runAsGroup": "0",
        "runAsNonRoot": True,
    }
    assert pusher["imagePullSecret"] == [{"secretName": "registry"}]
    assert pusher["podMetadata"]["labels"] == {"team": "flows"}
    [scratch] = found["FlowExampleGen_executor"]["genericEphemeralVolume"]
    assert scratch["size"] == "200Gi"
    [scratch] = found["WindowGen_executor"]["emptyDirMounts"]
    assert scratch["mountPath"] == "/scratch"
    policies = [entry["retryPolicy"] for entry in tasks(documents[0]).values()]
    assert {policy["maxRetryCount"] for policy in policies} == {4}


def test_the_defaults(documents, parse):
    found, deadline = parse(documents)
    assert deadline == 0 and len(found) == len(tasks(documents[0]))
    for fields in found.values():
        assert fields["securityContext"] == {"runAsNonRoot": True}
        assert fields["activeDeadlineSeconds"] == str(12 * 3600)


def test_no_retries(config):
    spec = compile_documents(config.replace({"kubeflow.retries": 0}))[0]
    assert not any("retryPolicy" in entry for entry in tasks(spec).values())


def test_an_unknown_step_is_refused(config):
    with pytest.raises(ConfigError, match="kubeflow.pods: expected all or a node of .*'Trainers'"):
        compile_documents(config.replace({"kubeflow.pods": ["Trainers.imagePullPolicy=Never"]}))
