"""The pushed models in the C++ loader of a third TensorFlow, which is the loader that TensorFlow Serving has.

TensorFlow Java brings it, from Maven Central. `Loader.java` loads a model and answers requests over its standard
streams: strings as Java's `writeUTF`, numbers in big-endian order.
"""

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from worlds import java, travelling

from crowdflow.schema import features
from crowdflow.trainer.warmup import WARMUP_FILE

pytestmark = pytest.mark.timeout(900)  # Maven downloads, once

FOLDER = Path(__file__).parents[1] / "java_loader"
KINDS = {"f": ">f4", "i": ">i8"}


@pytest.fixture(scope="session")
def jars(tmp_path_factory) -> Path:
    """TensorFlow Java, or a skip with the reason."""
    if lacking := java.lacking("java", "javac", "mvn"):
        pytest.skip(lacking)
    out = tmp_path_factory.mktemp("jars")
    command = ["mvn", "--batch-mode", "--quiet", f"--file={FOLDER / 'pom.xml'}"]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={out}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines() or ["no message"]
        pytest.skip(f"Maven could not get TensorFlow Java: {lines[0]}")
    return out


class Refused(Exception):
    """The model's graph refused a request."""


class JavaModel:
    """A model that a Java process has loaded."""

    def __init__(self, jars: Path, model: Path):
        command = ["java", "-cp", f"{jars}/*", str(FOLDER / "Loader.java"), str(model)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.version = self._text()

    def call(self, inputs: dict[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        request = [_text(signature), _text(output), struct.pack(">i", len(inputs))]
        for name, values in inputs.items():
            kind = {"f": "f", "i": "i"}.get(values.dtype.kind, "s")
            sizes = struct.pack(f">{values.ndim}i", *values.shape)
            request += [_text(name), struct.pack(">Hi", ord(kind), values.ndim), sizes]
            if kind == "s":
                request += [struct.pack(">i", len(text)) + text for text in values]
            else:
                request.append(values.astype(KINDS[kind]).tobytes())
        self._process.stdin.write(b"".join(request))
        self._process.stdin.flush()
        if fault := self._text():
            raise Refused(fault)
        kind, rank = self._numbers(">Hi")
        shape = self._numbers(f">{rank}i")
        if chr(kind) == "f":
            return np.frombuffer(self._read(4 * int(np.prod(shape))), ">f4").reshape(shape)
        return np.array([self._read(*self._numbers(">i")) for _ in range(shape[0])], object)

    def stop(self) -> int:
        self._process.stdin.close()
        return self._process.wait(timeout=60)

    def _read(self, size: int) -> bytes:
        found = self._process.stdout.read(size)
        assert len(found) == size, "the Java process has ended"
        return found

    def _numbers(self, form: str) -> tuple:
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _text(self) -> str:
        return self._read(*self._numbers(">H")).decode()


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded


@pytest.fixture(scope="module", params=[*travelling.STACKS, "now"])
def loaded(request, jars, pushed):
    """The models that each stack pushed and the one pushed now: in Java, and in this process."""
    import tensorflow as tf

    kept = travelling.FOLDER / request.param / "crowdflow" / "1"
    folder = pushed.serving / "1" if request.param == "now" else kept
    model = JavaModel(jars, folder)
    yield model, tf.saved_model.load(str(folder)).signatures, folder
    assert model.stop() == 0


def test_it_is_another_tensorflow(loaded):
    import tensorflow as tf

    assert loaded[0].version.split(".")[:2] == ["2", "18"]
    assert not tf.__version__.startswith("2.18")


def test_the_warm_up_requests_are_answered_with_the_same_digits(loaded):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    java, here, folder = loaded
    records = [*tf.data.TFRecordDataset(str(folder / WARMUP_FILE)).as_numpy_iterator()]
    assert records
    for record in records:
        asked = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(values) for name, values in asked.inputs.items()}
        signature = asked.model_spec.signature_name
        found = java.call(inputs, signature, features.FLOW)
        expected = here[signature](**{n: tf.constant(v) for n, v in inputs.items()})[features.FLOW]
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-3)


def test_serialized_windows_are_answered_with_the_same_digits(loaded, pushed):
    java, here, _ = loaded
    windows = np.array(pushed.windows["test"][:20], object)
    found = java.call({features.EXAMPLES: windows}, features.EXAMPLES_SIGNATURE, features.FLOW)
    expected = here[features.EXAMPLES_SIGNATURE](**{features.EXAMPLES: list(windows)})[
        features.FLOW
    ].numpy()
    assert found.shape == (20, 2, 5, 4, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_it_tells_its_account(loaded):
    java, _, folder = loaded
    query = {features.QUERY: np.array([b""], object)}
    [found] = java.call(query, features.ACCOUNT_SIGNATURE, features.ACCOUNT)
    assert found.decode() == (folder / features.ACCOUNT_FILE).read_text()


def test_bad_input_is_refused_in_words(loaded, every_window):
    java, here, _ = loaded
    names = here[features.DENSE_SIGNATURE].structured_input_signature[1]
    good = {name: every_window[name][:2] for name in names}
    assert java.call(good, features.DENSE_SIGNATURE, features.FLOW).shape == (2, 2, 5, 4, 2)
    bad = {**good, features.CLOSENESS: np.full_like(good[features.CLOSENESS], np.nan)}
    with pytest.raises(Refused, match="closeness: expected finite values within"):
        java.call(bad, features.DENSE_SIGNATURE, features.FLOW)
    off = {**good, features.TARGET_TIME: good[features.TARGET_TIME] + 7}
    with pytest.raises(Refused, match="expected starts of 60-minute intervals"):
        java.call(off, features.DENSE_SIGNATURE, features.FLOW)
