"""`crowdflow submit` against a server that records: what Kubeflow Pipelines' API gets, over HTTP."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from worlds import guarded_servers

from crowdflow.pipeline.kubeflow.submit import Submission, cron_of_six, read_spec, submit, typed
from crowdflow.schema.errors import ConfigError, SubmitError
from crowdflow.serving.credentials import Access

GOLDEN = Path(__file__).with_name("golden.yaml")
COMMAND = Path(sys.executable).with_name("crowdflow")
REFERENCE = {"pipeline_id": "p-1", "pipeline_version_id": "v-1"}
NAME = "crowdflow-tiny-city"


def test_first_upload_and_a_run(server, send):
    parameters = {"training": '{"epochs": 3}', "pushed_tolerance": "0.1"}
    lines = send(parameters=parameters, pipeline_root="s3://bucket/root")
    [upload] = server.sent("POST", "/pipelines/upload")
    assert upload.query == {"name": NAME}
    [content] = upload.body.values()
    assert content == GOLDEN.read_bytes()
    [experiment] = server.sent("POST", "/experiments")
    assert experiment.body == {"display_name": "crowdflow", "namespace": ""}
    [run] = server.sent("POST", "/runs")
    name = run.body.pop("display_name")
    assert re.fullmatch(rf"{NAME} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d", name)
    assert run.body == {
        "experiment_id": "e-1",
        "pipeline_version_reference": REFERENCE,
        "runtime_config": {
            "parameters": {"training": '{"epochs": 3}', "pushed_tolerance": 0.1},
            "pipeline_root": "s3://bucket/root",
        },
    }
    assert not server.sent("POST", "/recurringruns")
    assert "Authorization" not in run.headers
    assert f"pipeline {NAME} (p-1): its first version (v-1)" in lines[0]
    assert lines[1:] == [f"run r-1: {server.url}/#/runs/details/r-1"]


def test_a_known_pipeline_gets_a_version(server, send):
    server.pipelines = [{"pipeline_id": "p-1", "display_name": NAME}]
    send(version="2026-11-25", access=Access(token="secret"))
    [upload] = server.sent("POST", "/pipelines/upload_version")
    assert upload.query == {"name": "2026-11-25", "pipelineid": "p-1"}
    assert not server.sent("POST", "/pipelines/upload")
    [run] = server.sent("POST", "/runs")
    assert run.body["pipeline_version_reference"] == REFERENCE
    assert run.body["runtime_config"] == {"parameters": {}}
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer secret"}


def test_a_version_is_named_by_time_and_image(server, send):
    server.pipelines = [{"pipeline_id": "p-1", "display_name": NAME}]
    send()
    [upload] = server.sent("POST", "/pipelines/upload_version")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d crowdflow:0.1.0", upload.query["name"])


def test_a_schedule_takes_the_place_of_the_earlier_one(server, send):
    server.recurring = [
        {"recurring_run_id": "rr-old", "display_name": NAME, "status": "ENABLED"},
        {"recurring_run_id": "rr-off", "display_name": NAME, "status": "DISABLED"},
    ]
    lines = send(cron="0 5 * * *", parameters={"data": "/mnt/crowdflow/flows"})
    [made] = server.sent("POST", "/recurringruns")
    assert made.body == {
        "display_name": NAME,
        "experiment_id": "e-1",
        "mode": "ENABLE",
        "max_concurrency": 1,
        "no_catchup": True,
        "pipeline_version_reference": REFERENCE,
        "runtime_config": {"parameters": {"data": "/mnt/crowdflow/flows"}},
        "trigger": {"cron_schedule": {"cron": "0 0 5 * * *"}},
    }
    [listed] = server.sent("GET", "/recurringruns")
    assert json.loads(listed.query["filter"])["predicates"][0]["stringValue"] == NAME
    disabled = [r.path for r in server.requests if r.path.endswith(":disable")]
    assert disabled == ["/recurringruns/rr-old:disable"]
    posts = [r.path for r in server.requests if r.method == "POST" and "recurringruns" in r.path]
    assert posts == ["/recurringruns/rr-old:disable", "/recurringruns"]  # no two at any time
    assert not server.sent("POST", "/runs")
    assert lines[1] == "disabled the earlier recurring run rr-old"
    assert "recurring run rr-1, at '0 0 5 * * *'" in lines[2]


@pytest.mark.parametrize("options", [{"namespace": "team"}])
def test_a_namespace_goes_along(server, send, options):
    send(**options)
    [experiment] = server.sent("POST", "/experiments")
    assert experiment.body["namespace"] == "team"


def test_a_refusal_is_one_line(server, send):
    server.refusal = (400, {"message": "invalid pipeline spec: unknown field"})
    with pytest.raises(SubmitError, match="HTTP 400: invalid pipeline spec: unknown field$"):
        send()
    assert not server.sent("POST", "/runs")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"epochs": "3"}}, "--parameter: expected one of data, .*naive_margin"),
        ({"parameters": {"naive_margin": "much"}}, "--parameter naive_margin: expected a number"),
        ({"pipeline_root": "/mnt/artifacts"}, "--pipeline-root: expected an address"),
        ({"pipeline_root": "s3://user:word@bucket/root"}, "--pipeline-root: .*without user"),
        ({"cron": "5 o'clock"}, "--cron: expected five fields"),
    ],
)
def test_nothing_is_sent_where_something_is_wrong(server, send, options, message):
    with pytest.raises(ConfigError, match=message):
        send(**options)
    assert server.requests == []


def test_no_server(tmp_path):
    with pytest.raises(SubmitError, match="http://127.0.0.1:9: expected the API.*refused"):
        submit(Submission(GOLDEN, "http://127.0.0.1:9"), print)


@pytest.mark.parametrize("text", ["", "a: [", "- 1\n", "root: {}\n"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "pipeline.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="expected a YAML file that crowdflow compile wrote"):
        read_spec(path)


def test_a_damaged_file_is_refused_without_its_lines(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text("env:\n- {name: AWS_SECRET_ACCESS_KEY, value: s3cr3t: x}\n")
    with pytest.raises(ConfigError, match="line 2, column") as raised:
        read_spec(path)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "access", "message"),
    [
        ("http://user:s3cr3t@127.0.0.1:9", Access(), "--endpoint: expected a URL without user"),
        ("https://user:s3cr3t/x@kubeflow.city", Access(), r"expected http://HOST:PORT"),
        ("kubeflow.city:8888", Access(), "expected http://HOST:PORT or https://HOST:PORT"),
        ("http://kubeflow.city", Access(token="s3cr3t"), "expected an address with TLS"),
        ("http://127.0.0.1:9", Access(ca_file=__file__), "TLS .* with a CA file"),
    ],
)
def test_an_endpoint_that_is_refused_and_no_secret_shown(endpoint, access, message):
    with pytest.raises(ConfigError, match=message) as raised:
        submit(Submission(GOLDEN, endpoint, access=access), print)
    assert "s3cr3t" not in str(raised.value)


def test_a_refusal_does_not_quote_the_token(server, send):
    server.refusal = (401, {"message": "who is s3cr3t?"})
    with pytest.raises(SubmitError, match="HTTP 401: who is [*]{3}[?]"):
        send(access=Access(token="s3cr3t"))


def test_an_endpoint_with_tls_and_its_ca_file(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    mine = guarded_servers.make_authority(mine)

    def answer(path, *_):
        is_up = path.endswith("/healthz")
        content = b'{"multi_user": false}' if is_up else b'{"message": "not you"}'
        return 200 if is_up else 403, {"Content-Type": "application/json"}, content

    with guarded_servers.site(answer, mine) as site:
        with pytest.raises(SubmitError, match="HTTP 403: not you"):
            access = Access(token="s3cr3t", ca_file=mine.ca)
            submit(Submission(GOLDEN, f"https://{site.place}", access=access), print)
        assert site.requests[0][1]["authorization"] == "Bearer s3cr3t"
        asked = len(site.requests)
        with pytest.raises(SubmitError, match="CERTIFICATE_VERIFY_FAILED"):
            access = Access(token="s3cr3t", ca_file=guarded_servers.make_authority(other).ca)
            submit(Submission(GOLDEN, f"https://{site.place}", access=access), print)
        assert len(site.requests) == asked


def test_kinds_of_parameters():
    spec = yaml.safe_load(next(iter(GOLDEN.read_text().split("\n---\n"))))
    assert typed({"naive_margin": "0.5", "data": "[1]"}, spec) == {
        "naive_margin": 0.5,
        "data": "[1]",
    }


@pytest.mark.parametrize(
    ("text", "cron"), [("0 5 * * *", "0 0 5 * * *"), ("30 0 5 * *  1-5", "30 0 5 * * 1-5")]
)
def test_cron_of_six(text, cron):
    assert cron_of_six(text) == cron


def test_the_command(server, tmp_path):
    shutil.copy(GOLDEN, tmp_path / "pipeline.yaml")
    (tmp_path / "token").write_text("secret\n")
    done = subprocess.run(
        [
            *(COMMAND, "submit", "pipeline.yaml", "--endpoint", f"{server.url}/"),
            *("--parameter", "data=/mnt/crowdflow/flows", "--token-file", "token"),
        ],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.splitlines()[1] == f"run r-1: {server.url}/#/runs/details/r-1"
    [run] = server.sent("POST", "/runs")
    assert run.headers["authorization"] == "Bearer secret"
