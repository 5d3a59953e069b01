"""The REST interface: real requests over the loopback."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import requests

from standin import tiny_model


@pytest.fixture(scope="module")
def http():
    with requests.Session() as session:
        yield session


@pytest.fixture
def post(standin, http):
    """A function: body, path after the model -> response; a dict is sent as JSON with NaN allowed."""

    def send(body, path=":predict", **options):
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return http.post(standin.url + path, data=data, timeout=30, **options)

    return send


def refused(response, code=400):
    """The message of an error with this HTTP code."""
    assert response.status_code == code, response.text
    assert response.headers["Content-Type"] == "application/json"
    [(key, message)] = response.json().items()
    assert key == "error"
    return message


def columns(arrays):
    return {name: values.tolist() for name, values in arrays.items()}


def rows(arrays):
    values = columns(arrays)
    return [dict(zip(values, row)) for row in zip(*values.values())]


def test_both_formats_answer_what_the_bare_signature_answers(post, bare):
    for count in (1, 4):
        arrays = tiny_model.inputs(count, seed=count)
        expected = bare(**arrays)["flow"]
        response = post({"inputs": columns(arrays)})
        assert response.status_code == 200, response.text
        assert list(response.json()) == ["outputs"]
        got = np.array(response.json()["outputs"], np.float32)
        np.testing.assert_array_equal(got, expected)
        response = post({"signature_name": "serving_default", "instances": rows(arrays)})
        assert list(response.json()) == ["predictions"]
        got = np.array(response.json()["predictions"], np.float32)
        np.testing.assert_array_equal(got, expected)


def test_one_connection_serves_all(standin, http):
    for _ in range(3):
        response = http.get(standin.url)
        assert response.raw.version == 11
        assert response.headers.get("Connection") != "close"


def test_paths(post, http, standin, bare):
    arrays = tiny_model.inputs()
    body = {"inputs": columns(arrays)}
    assert post(body, "/versions/3:predict").status_code == 200
    message = refused(post(body, "/versions/4:predict"), 404)
    assert message == "Servable not found for request: Specific(crowdflow, 4)"
    message = refused(post(body, "/labels/canary:predict"), 400)
    assert message == "Unrecognized servable version label: canary"
    message = refused(post(body, "other:predict"), 404)
    assert message == "Servable not found for request: Latest(crowdflowother)"
    message = refused(post(body, ":explain"), 400)
    assert message == "Malformed request: POST /v1/models/crowdflow:explain"
    assert refused(http.get(f"{standin.url}:predict")).startswith("Malformed request: GET /v1/")
    refused(post({"examples": []}, ":classify"), 501)
    assert http.get(f"http://127.0.0.1:{standin.rest}/other").status_code == 404


def test_json_that_cannot_be_read(post):
    assert refused(post("")) == "JSON Parse error: The document is empty"
    assert refused(post('{"inputs": }')) == "JSON Parse error: Invalid value. at offset: 11"
    assert refused(post(b'{"inputs": "\xff"}')).startswith("JSON Parse error: Invalid encoding")
    assert refused(post("[1]")).endswith("Is not object")
    assert refused(post({"instance": 1})) == "Missing 'inputs' or 'instances' key"
    message = refused(post({"inputs": [], "instances": []}))
    assert "expecting only one of 'inputs' or 'instances'" in message
    assert "must be a string value" in refused(post({"signature_name": 1, "inputs": []}))
    message = refused(post({"signature_name": "nope", "inputs": []}))
    assert message == 'Serving signature name: "nope" not found in signature def'


def test_inputs_that_do_not_fit(post):
    arrays = tiny_model.inputs(2)
    good = columns(arrays)
    assert refused(post({"inputs": [1.0]})).startswith("inputs is a plain value/list")
    missing = {name: value for name, value in good.items() if name != "trend"}
    message = refused(post({"inputs": missing}))
    assert message == "Missing named input: trend in 'inputs' object."
    message = refused(post({"inputs": {**good, "holiday": [0, 1.5]}}))
    assert message == "JSON Value: 1.5 Type: Number is not of expected type: int64"
    message = refused(post({"inputs": {**good, "temperature": [1, True]}}))
    assert message == "JSON Value: true Type: True is not of expected type: float"
    message = refused(post({"inputs": {**good, "temperature": [1, "2"]}}))
    assert message == 'JSON Value: "2" Type: String is not of expected type: float'
    message = refused(post({"inputs": {**good, "temperature": [None, 1]}}))
    assert message == "JSON Value: null Type: Null is not of expected type: float"
    message = refused(post({"inputs": {**good, "temperature": [1, 1e39]}}))
    assert message.endswith("to float without loss of precision.")
    message = refused(post({"inputs": {**good, "temperature": [1, 16777217]}}))
    assert message.startswith("Cannot convert JSON value: 16777217 to float")
    message = refused(post({"inputs": {**good, "temperature": [[1], [1, 2]]}}))
    assert message == "Encountered list at unexpected size: 2 at level: 1 expected size: 1"
    assert "closeness" in refused(post({"inputs": {**good, "closeness": [1.0, 2.0]}}))


def test_instances_that_do_not_fit(post):
    good = rows(tiny_model.inputs(2))
    assert "to be an list/array" in refused(post({"instances": {}}))
    assert "No values in 'instances' array" in refused(post({"instances": []}))
    assert refused(post({"instances": [[1.0]]})).startswith("instances is a plain list")
    message = refused(post({"instances": [good[0], 1]}))
    assert message == "Expecting object but got list at item 1 of input list"
    lacking = {name: value for name, value in good[1].items() if name != "trend"}
    message = refused(post({"instances": [good[0], lacking]}))
    assert message.startswith("Failed to process element: 1 of 'instances' list. JSON object: ")
    assert message.endswith(f"keys must be equal to: {','.join(sorted(good[0]))}")
    message = refused(post({"instances": [good[0], {**good[1], "wind": 1}]}))
    assert "key: wind" in message and "does not have named input: wind" in message
    message = refused(post({"instances": [good[0], {**good[1], "holiday": 0.5}]}))
    assert message.startswith("Failed to process element: 1 key: holiday of 'instances' list. ")
    assert message.endswith("0.5 Type: Number is not of expected type: int64")
    message = refused(post({"instances": [good[0], {**good[1], "trend": [1.0]}]}))
    assert message.endswith("Expecting tensor size: 48 but got: 1")


def test_integers_for_floats(post, bare):
    arrays = tiny_model.inputs()
    arrays["temperature"] = np.array([12], np.float32)
    response = post({"inputs": {**columns(arrays), "temperature": [12]}})
    got = np.array(response.json()["outputs"], np.float32)
    np.testing.assert_array_equal(got, bare(**arrays)["flow"])


def test_an_error_in_the_graph(post):
    arrays = tiny_model.inputs()
    arrays["closeness"][0, 0, 0, 0, 0] = np.nan  # json writes the literal NaN
    message = refused(post({"inputs": columns(arrays)}))
    assert message.startswith(f"assertion failed: [{tiny_model.NOT_FINITE}]")


def test_numbers_that_are_not_finite(post):
    body = {"inputs": {"top": [1, -1, 0, 3, float("inf")], "bottom": [0, 0, 0, 2, 1]}}
    response = post({"signature_name": "ratio", **body})
    assert response.text.count("NaN") == 1 and "-Infinity" in response.text
    np.testing.assert_array_equal(
        json.loads(response.text)["outputs"], [np.inf, -np.inf, np.nan, 1.5, np.inf]
    )


def test_strings(post):
    raw = base64.b64encode(b"null\xff").decode()
    body = {"signature_name": "words", "instances": ["ü", {"b64": raw}]}
    assert post(body).json()["predictions"] == [
        {"size": 2, "text": "ü", "text_bytes": {"b64": base64.b64encode("ü".encode()).decode()}},
        {"size": 5, "text": "null\ufffd", "text_bytes": {"b64": raw}},
    ]
    body = {"signature_name": "words", "inputs": [{"b64": raw}]}
    assert post(body).json()["outputs"] == {
        "size": [5],
        "text": ["null\ufffd"],
        "text_bytes": [{"b64": raw}],
    }
    body["inputs"] = [{"b64": "?"}]
    assert refused(post(body)) == "Unable to base64 decode"
    body["inputs"] = [{"base64": raw}]
    assert "not formatted correctly for base64 data" in refused(post(body))


def test_scalars(post):
    assert post({"signature_name": "slow", "inputs": 5}).json() == {"outputs": 5}
    message = refused(post({"signature_name": "slow", "instances": [5]}))
    assert "steps" in message  # its shape is [], a batch has [1]


def test_compressed_body(post, bare):
    arrays = tiny_model.inputs()
    body = gzip.compress(json.dumps({"inputs": columns(arrays)}).encode())
    response = post(body, headers={"Content-Encoding": "gzip"})
    assert response.status_code == 200
    refused(post(b"no", headers={"Content-Encoding": "gzip"}))


def test_status_and_metadata(http, standin):
    status = {"version": "3", "state": "AVAILABLE"}
    status["status"] = {"error_code": "OK", "error_message": ""}
    for path in ("", "/versions/3"):
        assert http.get(standin.url + path).json() == {"model_version_status": [status]}
    message = refused(http.get(f"{standin.url}/versions/4"), 404)
    assert message == "Could not find version 4 of model crowdflow"
    found = http.get(f"{standin.url}/metadata").json()
    assert found["model_spec"]["version"] == "3"
    definition = found["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert definition["inputs"]["closeness"]["dtype"] == "DT_FLOAT"
    shape = definition["outputs"]["flow"]["tensor_shape"]["dim"]
    assert [d["size"] for d in shape] == ["-1", "2", "4", "3", "2"]


def test_metrics_count_answers_of_both_interfaces(post, http, standin, client):
    def counts():
        address = f"http://127.0.0.1:{standin.rest}/monitoring/prometheus/metrics"
        pattern = (
            r'^:tensorflow:serving:request_count{model_name="crowdflow",status="(\w+)"} (\d+)$'
        )
        found = re.findall(pattern, http.get(address).text, re.MULTILINE)
        return {code: int(count) for code, count in found}

    arrays = tiny_model.inputs()
    post({"inputs": columns(arrays)})
    post({"inputs": 1})
    before = counts()
    post({"inputs": columns(arrays)})
    client.predict(arrays)
    post({"inputs": 1})
    after = counts()
    assert after["OK"] - before["OK"] == 2
    assert after["INVALID_ARGUMENT"] - before["INVALID_ARGUMENT"] == 1
