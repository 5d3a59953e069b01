"""What is refused when the pipeline is compiled, and the command."""

import subprocess
import sys
from pathlib import Path

import pytest

from crowdflow.config import KubeflowConfig, Resources, presets
from crowdflow.pipeline.kubeflow.compiling import compile_to
from crowdflow.schema.errors import ConfigError

COMMAND = Path(sys.executable).with_name("crowdflow")
DIGEST = f"crowdflow@sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"paths.data": []}, "--data: expected the input's location, on a volume or at s3://"),
        (
            {"paths.data": ["flows"]},
            r"--data: expected a path on a volume.*\(/mnt/crowdflow\).*'flows'",
        ),
        ({"paths.data": ["/mnt/crowdflow/../x"]}, "--data: expected a path on a volume"),
        ({"paths.data": ["/mnt/crowdflowers"]}, "--data: expected a path on a volume"),
        ({"paths.data": ["s3://"]}, "--data: expected s3://BUCKET/KEY or gs://BUCKET/KEY"),
        ({"paths.data": ["minio://bucket/flows"]}, "--data: expected a path on a volume.*or s3://"),
        ({"kubeflow.volumes": []}, "--data: expected a path on a volume.*none is set, --volume"),
        ({"kubeflow.image": None}, "kubeflow.image: expected the container image"),
        (
            {"kubeflow.serving_folder": "/srv"},
            "kubeflow.serving_folder: expected a path on a volume",
        ),
        (
            {"kubeflow.checkpoints": "gs://b//c"},
            "kubeflow.checkpoints: expected s3://BUCKET/KEY or",
        ),
        (
            {"kubeflow.volumes": [], "paths.data": ["s3://bucket/flows"]},
            "kubeflow.serving_folder: expected a path on a volume.*none is set, --volume",
        ),
        ({"evaluation.infra_validator": "docker"}, "evaluation.infra_validator: expected off"),
        ({"preset": "My city"}, "preset: expected lower-case letters"),
    ],
)
def test_what_cannot_run_there_is_refused(config, tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        compile_to(config.replace(settings), tmp_path / "pipeline.yaml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pipeline.json", "pipeline"])
def test_the_file_is_yaml(config, tmp_path, name):
    with pytest.raises(ConfigError, match="--output: expected a name that ends in .yaml"):
        compile_to(config, tmp_path / name)


def test_an_unknown_node_is_refused(config, tmp_path):
    settings = {"kubeflow.nodes": ["Trainers=8/32"]}
    with pytest.raises(ConfigError, match=r"kubeflow.nodes: expected nodes of .*Trainer.*Trainers"):
        compile_to(config.replace(settings), tmp_path / "pipeline.yaml")


def test_a_missing_folder_is_refused(config, tmp_path):
    with pytest.raises(ConfigError, match="expected a file that can be written. No such file"):
        compile_to(config, tmp_path / "missing" / "pipeline.yaml")


@pytest.mark.parametrize(
    "settings",
    [
        {"image": "crowdflow"},
        {"image": "host:5000/crowdflow"},
        {"image": "crowdflow@sha256:0123"},
        {"image": "crowdflow:"},
        {"volumes": ["crowdflow"]},
        {"volumes": ["crowdflow:mnt"]},
        {"volumes": ["Crowd_Flow:/mnt"]},
        {"volumes": ["crowdflow:/"]},
        {"nodes": ["Trainer=8"]},
        {"nodes": ["Trainer=0/8"]},
        {"nodes": ["Trainer=1.2.3/8"]},
        {"cpus": 0},
        {"memory_gb": -1},
        {"trainer_gpus": -1},
        {"gpu": ""},
        {"environment": ["AWS_ENDPOINT_URL"]},
        {"environment": ["1=2"]},
        {"secrets": ["AWS_ACCESS_KEY_ID=minio"]},
        {"secrets": ["AWS_ACCESS_KEY_ID=Minio/key"]},
    ],
)
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(ConfigError, match=f"kubeflow.{next(iter(settings))}: expected .* Received"):
        presets.load("tiny-city").replace({f"kubeflow.{k}": v for k, v in settings.items()})


@pytest.mark.parametrize("image", ["crowdflow:0.1.0", "host:5000/team/crowdflow:v1", DIGEST])
def test_images_that_are_fixed(image):
    assert KubeflowConfig(image=image).image == image


def test_limits_of_single_nodes():
    found = KubeflowConfig(trainer_gpus=2, gpu="amd.com/gpu", nodes=("Trainer=1.5/3", "Pusher=1/1"))
    assert found.resources("Trainer") == Resources(1.5, 3.0, 2, "amd.com/gpu")
    assert found.resources("Pusher") == Resources(1.0, 1.0, 0, "amd.com/gpu")
    assert found.resources("Evaluator") == Resources(2.0, 4.0, 0, "amd.com/gpu")


def test_volumes_in_their_order():
    found = KubeflowConfig(volumes=("b:/mnt/b", "a:/mnt/a"))
    assert list(found.mounts().items()) == [("/mnt/b", "b"), ("/mnt/a", "a")]


def test_the_command(tmp_path):
    done = subprocess.run(
        [
            *(COMMAND, "compile", "--target", "kubeflow", "--output", "pipeline.yaml"),
            *("--image", "crowdflow:0.1.0", "--volume", "crowdflow:/mnt/crowdflow"),
            *("--data", "/mnt/crowdflow/flows", "--set", "training.epochs=7"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "wrote pipeline.yaml: crowdflow-tiny-city, crowdflow:0.1.0"
    assert 'parameter data = ["/mnt/crowdflow/flows"]' in rest
    assert any(line.startswith("parameter training = ") and '"epochs": 7' in line for line in rest)
    assert (tmp_path / "pipeline.yaml").is_file()


def test_the_command_without_data(tmp_path):
    done = subprocess.run(
        [COMMAND, "compile", "--target", "kubeflow", "--output", "p.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: --data: expected")
    assert "Traceback" not in done.stderr
