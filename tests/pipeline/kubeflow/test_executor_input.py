"""What Kubeflow hands to a step, and what TFX gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdflow.pipeline.kubeflow import executor_input as pure

INPUT = {
    "inputs": {
        "artifacts": {
            "model": {
                "artifacts": [
                    {
                        "name": "7",
                        "type": {"instanceSchema": ""},
                        "uri": "s3://bucket/run/Trainer/model",
                        "metadata": {"display_name": "model"},
                    }
                ]
            }
        },
        "parameterValues": {"folder": "/mnt/crowdflow/serving"},
    },
    "outputs": {
        "artifacts": {
            "baseline": {"artifacts": [{"uri": "minio://bucket/baseline", "metadata": {}}]},
            "executor-logs": {
                "artifacts": [{"uri": "s3://b/l", "type": {"schemaTitle": "system.Artifact"}}]
            },
        },
        "outputFile": "/tmp/kfp_outputs/output_metadata.json",
    },
}
DECLARED = {"artifacts": {"model": {"artifactType": {"instanceSchema": "title: tfx.Model\n"}}}}


def test_undeclared_outputs_go():
    out = pure.keep_declared(INPUT, ["baseline"])
    assert set(out["outputs"]["artifacts"]) == {"baseline"}
    assert out["outputs"]["outputFile"] == INPUT["outputs"]["outputFile"]
    assert out["inputs"] == INPUT["inputs"]
    assert "executor-logs" in INPUT["outputs"]["artifacts"]


def test_inputs_get_their_declared_types():
    out = pure.with_types(INPUT, DECLARED)
    [model] = out["inputs"]["artifacts"]["model"]["artifacts"]
    assert model["type"] == {"instanceSchema": "title: tfx.Model\n"}
    assert (model["name"], model["metadata"]) == ("7", {"display_name": "model"})
    assert out["inputs"]["parameterValues"] == INPUT["inputs"]["parameterValues"]


def test_addresses_become_the_launchers_folders():
    out = pure.localize(INPUT, "/")
    [model] = out["inputs"]["artifacts"]["model"]["artifacts"]
    [baseline] = out["outputs"]["artifacts"]["baseline"]["artifacts"]
    assert model["uri"] == "/s3/bucket/run/Trainer/model"
    assert baseline["uri"] == "/minio/bucket/baseline"
    assert pure.to_local("gs://b/k", "/elsewhere") == "/elsewhere/gcs/b/k"


def test_folders_become_addresses_again_in_properties_too():
    given = {
        "artifacts": {"b": {"artifacts": [{"uri": "/gcs/b/k", "metadata": {"of": "/s3/b/m"}}]}}
    }
    [found] = pure.globalize(given, "/")["artifacts"]["b"]["artifacts"]
    assert found == {"uri": "gs://b/k", "metadata": {"of": "s3://b/m"}}
    assert pure.globalize([1.0, None, "/mnt/s3/b"], "/") == [1.0, None, "/mnt/s3/b"]


@given(
    st.sampled_from(["gs", "s3", "minio"]),
    st.text(st.characters(blacklist_characters="\0"), min_size=1).filter(lambda t: t[0] != "/"),
    st.sampled_from(["/", "/root", "/tmp/a b"]),
)
def test_round_trip(scheme, key, root):
    uri = f"{scheme}://{key}"
    assert pure.to_remote(pure.to_local(uri, root), root) == uri


@pytest.mark.parametrize("text", ["/mnt/crowdflow/flows", "trips", "http://host/gs://b", ""])
def test_other_texts_stay(text):
    assert pure.to_local(text, "/") == pure.to_remote(text, "/") == text


@pytest.mark.parametrize(("variables", "root"), [({}, "/"), ({pure.ROOT_VARIABLE: "/x"}, "/x")])
def test_mount_root(variables, root):
    assert pure.mount_root(variables) == root
