"""TLS, tokens and passwords, against servers that have them; and what is sent to nobody else."""

import base64
import json
import re

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from click.testing import CliRunner
from tensorflow_serving.apis import predict_pb2
from worlds import guarded_servers

from crowdflow.pipeline.cli import main
from crowdflow.schema.errors import ConfigError, ServingError
from crowdflow.serving import Forecaster, Options, connect

TOKEN = "eyJ0b2tlbiI6MX0.s3cr-et_~+/=="
QUERY = {"query": np.array([""], object)}
KINDS = ("rest", "grpc")
SCHEMES = {"rest": "https", "grpc": "grpcs"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return guarded_servers.make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return guarded_servers.make_authority(tmp_path_factory.mktemp("stranger"))


class Gate:
    """Lets requests with the token through to the stand-in; its refusal quotes what it got."""

    def __init__(self, standin):
        self.token, self.seen, self._standin = TOKEN, [], standin

    def over_http(self, path, headers, body):
        given = headers.get("Authorization", "")
        self.seen.append(given)
        if given != f"Bearer {self.token}":
            return 401, {}, json.dumps({"error": f"no such user: {given!r}"}).encode()
        address = self._standin.url.split("/v1/")[0]
        with requests.Session() as session:
            session.trust_env = False  # a test's proxy is not for this request
            answer = session.post(f"{address}{path}", data=body)
        return answer.status_code, {}, answer.content

    def over_grpc(self, request, context):
        given = dict(context.invocation_metadata()).get("authorization", "")
        self.seen.append(given)
        if given != f"Bearer {self.token}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"no such user: {given!r}")
        return self._standin.handler.predict(request)


@pytest.fixture
def gate(standin):
    return Gate(standin)


@pytest.fixture
def secured(gate, authority):
    """A function: kind -> address of a server with TLS that wants the token."""
    with guarded_servers.site(gate.over_http, authority) as site:
        with guarded_servers.rpc(gate.over_grpc, authority) as place:
            places = {"rest": site.place, "grpc": place}
            yield lambda kind: f"{SCHEMES[kind]}://{places[kind]}"


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_through_tls_with_a_token(
    kind, secured, authority, token_file, gate, history, address
):
    forecaster = Forecaster(connect(secured(kind), ca_file=authority.ca, token_file=token_file))
    found = forecaster.forecast(history)
    expected = Forecaster(connect(address(kind))).forecast(history)
    np.testing.assert_array_equal(found.flows, expected.flows)
    gate.token = "renewed"
    token_file.write_text("renewed")
    assert len(forecaster.forecast(history).flows) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_ca_file_the_systems_roots_count(kind, secured, authority, gate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    assert Forecaster(connect(secured(kind), token=TOKEN)).config.grid.rows == 5
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ServingError, match="CERTIFICATE_VERIFY_FAILED"):
        Forecaster(connect(secured(kind), token=TOKEN, retries=0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_with_a_certificate_of_another_authority_gets_no_request(
    kind, secured, stranger, gate
):
    with pytest.raises(ServingError, match="CERTIFICATE_VERIFY_FAILED") as raised:
        Forecaster(connect(secured(kind), ca_file=stranger.ca, token=TOKEN, retries=1))
    assert gate.seen == [] and TOKEN not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_and_a_wrong_token_are_refusals_that_do_not_quote_it(
    kind, secured, authority, gate
):
    said = {"rest": "401", "grpc": "UNAUTHENTICATED"}[kind]
    with pytest.raises(ServingError, match=f"{said} no such user: ''"):
        Forecaster(connect(secured(kind), ca_file=authority.ca, retries=0))
    with pytest.raises(ServingError, match=said) as raised:
        Forecaster(connect(secured(kind), ca_file=authority.ca, token="wr0ng", retries=0))
    assert gate.seen == ["", "Bearer wr0ng"] and "wr0ng" not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["10.0.0.1:8501", "city.example:8501", "localhost.example:8501"])
def test_no_token_is_sent_in_clear_to_another_machine(kind, place):
    plain = {"rest": "http", "grpc": "grpc"}[kind]
    with pytest.raises(ConfigError, match=f"{plain}://{place}: expected an address with TLS"):
        connect(f"{plain}://{place}", token=TOKEN)
    connect(f"{plain}://{place}", token=TOKEN, credentials_in_clear=True)
    connect(f"{plain}://{place}")


@pytest.mark.parametrize("kind", KINDS)
def test_on_this_machine_a_token_needs_no_tls_and_passes_no_proxy(kind, gate, monkeypatch):
    with (
        guarded_servers.site(gate.over_http) as site,
        guarded_servers.rpc(gate.over_grpc) as place,
        guarded_servers.site(lambda *_: (502, {}, b"")) as proxy,
    ):
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.place}")
        monkeypatch.setenv("no_proxy", "")
        address = {"rest": f"http://{site.place}", "grpc": f"grpc://{place}"}[kind]
        assert Forecaster(connect(address, token=TOKEN)).config.grid.rows == 5
        assert proxy.requests == []


def test_a_proxy_of_the_environment_is_asked_for_other_machines(monkeypatch):
    with guarded_servers.site(lambda *_: (403, {}, b"the proxy's no")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.place}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(ServingError, match="city.example:8501/.*403 the proxy's no"):
            Forecaster(connect("http://city.example:8501"))
        [(path, _)] = proxy.requests
        assert path.startswith("http://city.example:8501/v1/models/")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_not_followed(code):
    with guarded_servers.site(lambda *_: (200, {}, b"{}")) as other:
        there = f"http://user:pa55@{other.place}/login?session=5ecret"
        with guarded_servers.site(lambda *_: (code, {"Location": there}, b"")) as site:
            with pytest.raises(ServingError, match=f"{code} redirects to http.*") as raised:
                Forecaster(connect(f"http://{site.place}", token=TOKEN))
        assert other.requests == []
    message = str(raised.value)
    assert f"@{other.place}/login" in message
    assert not re.search(f"pa55|5ecret|{re.escape(TOKEN)}", message)


def test_no_netrc_is_read(tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password of-the-netrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with guarded_servers.site(lambda *_: (500, {}, b"")) as site:
        assert requests.utils.get_netrc_auth(f"http://{site.place}")  # requests would send it
        with pytest.raises(ServingError, match="500"):
            Forecaster(connect(f"http://{site.place}"))
        assert [headers.get("Authorization") for _, headers in site.requests] == [None]


def test_a_password_in_the_address_is_sent_and_never_shown(standin):
    pair = "user:pä/ss@w0rd"
    expected = f"Basic {base64.b64encode(pair.encode()).decode()}"

    def answer(path, headers, body):
        if headers["Authorization"] != expected:
            return 401, {}, b"who?"
        return 404, {}, f"{pair} may not".encode()

    with guarded_servers.site(answer) as site:
        address = f"http://user:p%C3%A4%2Fss%40w0rd@{site.place}/"
        with pytest.raises(ServingError, match=rf"http://{site.place}/v1.*404") as raised:
            Forecaster(connect(address))
        assert "w0rd" not in str(raised.value)
        with pytest.raises(ServingError, match=f"http://{site.place}/v1.*401"):
            Forecaster(connect(f"http://user:wrong@{site.place}"))


@pytest.mark.parametrize(
    "address",
    [
        "http://user:pa55/w0rd@127.0.0.1:9/x",
        "http://user:pa55w0rd@127.0.0.1:9x",
        "http://user:pa55w0rd@",
        "http://127.0.0.1:9?token=pa55w0rd",
        "https://user:pa55w0rd@[::1",
        "grpc://user:pa55w0rd@127.0.0.1:9",
        "grpcs://user:pa55w0rd@127.0.0.1:9x",
        "ftp://user:pa55w0rd@127.0.0.1:9",
        "s3://user:pa55w0rd@bucket/key",
        "s3://AKIA:pa55/w0rd@bucket/key",
    ],
)
def test_an_address_that_is_refused_is_shown_without_its_password(address):
    done = CliRunner().invoke(main, ["predict", "--model", address, "--data", "x"])
    assert done.exit_code == 1 and done.output.startswith("Error: "), done.output
    assert not re.search("pa55|w0rd|AKIA|user:", done.output), done.output
    done = CliRunner().invoke(main, ["batch", "--model", address, "--data", "x", "--out", "y"])
    assert done.exit_code == 1 and done.output.startswith("Error: "), done.output
    assert not re.search("pa55|w0rd|AKIA|user:", done.output), done.output


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("http://127.0.0.1:9", {"ca_file": __file__}, "TLS .* with a CA file"),
        ("https://127.0.0.1:9", {"ca_file": __file__}, "expected a file of CA certificates"),
        ("https://127.0.0.1:9", {"ca_file": "/none"}, "CA certificates .*No such file"),
        ("grpcs://127.0.0.1:9", {"ca_file": __file__}, "expected a file of CA certificates"),
        ("http://127.0.0.1:9", {"token_file": "/none"}, "/none: expected a file with a token"),
        ("http://127.0.0.1:9", {"token": "two w0rds"}, "one word"),
        ("http://127.0.0.1:9", {"token": "w0rd\nHost: me"}, "one word"),
        ("http://127.0.0.1:9", {"token": ""}, "one word"),
        ("http://127.0.0.1:9", {"token": "a", "token_file": "b"}, "Received both"),
        ("http://u:w0rd@127.0.0.1:9", {"token": "a"}, "Received both"),
        ("http://u:w0rd@10.0.0.1:9", {}, "expected an address with TLS"),
        ("somewhere", {"token": "a"}, "a token or a CA file, not a folder"),
    ],
)
def test_options_that_do_not_fit_are_refused(address, options, message):
    with pytest.raises((ConfigError, ServingError), match=message) as raised:
        connect(address, **options)
    assert "w0rd" not in str(raised.value)


def test_options_do_not_show_their_token():
    assert TOKEN not in repr(Options(token=TOKEN))


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_takes_the_token_from_a_file_or_a_variable(
    kind, secured, authority, token_file, pushed, monkeypatch
):
    common = ["predict", "--model", secured(kind), "--ca-file", str(authority.ca)]
    common += [part for path in pushed.data for part in ("--data", path)]
    done = CliRunner().invoke(main, [*common, "--token-file", str(token_file)])
    assert done.exit_code == 0, done.output
    monkeypatch.setenv("CITY_TOKEN", TOKEN)
    done = CliRunner().invoke(main, [*common, "--token-variable", "CITY_TOKEN"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, [*common, "--token-variable", "NO_TOKEN"])
    assert done.exit_code == 1 and "NO_TOKEN is not set" in done.output


def other_outputs(*_):
    response = predict_pb2.PredictResponse()
    for name in ("speed", "density"):
        response.outputs[name].CopyFrom(tf.make_tensor_proto([1.0]))
    return response


def test_an_answer_without_the_output_names_those_that_came(address):
    named = (200, {}, json.dumps({"outputs": {"speed": [1], "density": [2]}}).encode())
    with (
        guarded_servers.site(lambda *_: named) as site,
        guarded_servers.rpc(other_outputs) as place,
    ):
        for where in (f"http://{site.place}", f"grpc://{place}"):
            transport = connect(where)
            with pytest.raises(
                ServingError, match="expected the output flow. Received: density, speed"
            ):
                transport.predict(QUERY, "serving_default", ["flow"])
    with pytest.raises(ServingError, match="expected the output flow. Received: account"):
        connect(address("folder")).predict(QUERY, "account", ["flow"])


@pytest.mark.parametrize("outputs", [3, None, [], {"account": []}, [[1, 2], [3]], "text", [1.5]])
def test_an_answer_of_another_form_is_one_error(outputs):
    answer = (200, {}, json.dumps({"outputs": outputs}).encode())
    with guarded_servers.site(lambda *_: answer) as site:
        with pytest.raises(ServingError, match="xpected"):
            Forecaster(connect(f"http://{site.place}"))
