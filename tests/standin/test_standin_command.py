"""The stand-in as a command."""

import signal

import numpy as np
import pytest
import requests
import tensorflow as tf

from standin import server, tiny_model


@pytest.fixture(scope="module")
def base(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving")
    tiny_model.push(models[1], folder, 12)
    return folder


def test_a_process_serves_both_interfaces_and_ends_when_told(base, connect, bare):
    with server.process(base, name="flows") as running:
        arrays = tiny_model.inputs()
        expected = bare(**arrays)["flow"]
        response = connect(running).predict(arrays, name="flows")
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs["flow"]), expected)
        body = {"inputs": {name: value.tolist() for name, value in arrays.items()}}
        answer = requests.post(f"{running.url}:predict", json=body).json()["outputs"]
        np.testing.assert_array_equal(np.array(answer, np.float32), expected)
        assert running.states() == {12: "AVAILABLE"}

        # Its ports are taken now.
        for flag, port in (("port", running.grpc), ("rest_api_port", running.rest)):
            with pytest.raises((RuntimeError, OSError)):
                with server.running(base, **{flag: port}):
                    pass
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0


def test_what_it_cannot_do_it_says(base, capsys):
    with pytest.raises(SystemExit):
        with server.running(base, enable_batching=True):
            pass
    assert "unrecognized arguments: --enable_batching=True" in capsys.readouterr().err
