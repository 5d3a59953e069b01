"""The gRPC interface: real calls over the loopback."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from standin import tiny_model

Code = grpc.StatusCode


def refused(call, code):
    """The message of an error with this code."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code, caught.value.details()
    return caught.value.details()


def test_answers_what_the_bare_signature_answers(client, bare):
    for count in (1, 5):
        arrays = tiny_model.inputs(count, seed=count)
        response = client.predict(arrays)
        assert list(response.outputs) == ["flow"]
        np.testing.assert_array_equal(
            tf.make_ndarray(response.outputs["flow"]), bare(**arrays)["flow"]
        )
        spec = response.model_spec
        assert (spec.name, spec.version.value) == ("crowdflow", 3)
        assert spec.signature_name == "serving_default"
    # As the binary by default: values in the typed field.
    assert response.outputs["flow"].float_val and not response.outputs["flow"].tensor_content


def as_typed_fields(array):
    proto = tf.make_tensor_proto(array)
    proto.ClearField("tensor_content")
    field = proto.float_val if array.dtype == np.float32 else proto.int64_val
    del field[:]
    field.extend(array.ravel().tolist())
    return proto


def test_both_forms_of_a_tensor(client, bare):
    arrays = tiny_model.inputs(2)
    response = client.predict({name: as_typed_fields(v) for name, v in arrays.items()})
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["flow"]), bare(**arrays)["flow"])
    # A single value fills its tensor.
    arrays["holiday"] = np.array([7, 7])
    fill = tf.make_tensor_proto(7, tf.int64)
    fill.tensor_shape.dim.add().size = 2
    response = client.predict({**arrays, "holiday": fill})
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["flow"]), bare(**arrays)["flow"])


def test_an_empty_batch(client):
    response = client.predict(tiny_model.inputs(0))
    assert tf.make_ndarray(response.outputs["flow"]).shape == (0, 2, 4, 3, 2)


def test_serialized_examples(client, bare):
    arrays = tiny_model.inputs(2)
    examples = []
    for row in range(2):
        example = tf.train.Example()
        for name, values in arrays.items():
            feature = example.features.feature[name]
            kind = feature.float_list if values.dtype == np.float32 else feature.int64_list
            kind.value.extend(values[row].ravel().tolist())
        examples.append(example.SerializeToString())
    response = client.predict(
        {"examples": np.array(examples, object)}, signature="serving_examples"
    )
    np.testing.assert_allclose(
        tf.make_ndarray(response.outputs["flow"]), bare(**arrays)["flow"], rtol=1e-6
    )


def test_strings_and_output_filter(client):
    words = np.array([b"a", b"\xff\x00", "ü".encode()], object)
    response = client.predict({"words": words}, signature="words")
    assert sorted(response.outputs) == ["size", "text", "text_bytes"]
    assert list(response.outputs["text"].string_val) == list(words)
    assert list(response.outputs["size"].int_val) == [1, 2, 2]
    response = client.predict({"words": words}, signature="words", output_filter=["size"])
    assert list(response.outputs) == ["size"]


def test_unknown_models_versions_and_signatures(client):
    arrays = tiny_model.inputs()
    message = refused(lambda: client.predict(arrays, name="other"), Code.NOT_FOUND)
    assert message == "Servable not found for request: Latest(other)"
    message = refused(lambda: client.predict(arrays, version=4), Code.NOT_FOUND)
    assert message == "Servable not found for request: Specific(crowdflow, 4)"
    message = refused(lambda: client.predict(arrays, version="canary"), Code.INVALID_ARGUMENT)
    assert message == "Unrecognized servable version label: canary"
    message = refused(lambda: client.predict(arrays, signature="nope"), Code.FAILED_PRECONDITION)
    assert message == 'Serving signature key "nope" not found.'
    initialiser = "__saved_model_init_op"
    assert "method_name" in refused(
        lambda: client.predict({}, signature=initialiser), Code.INTERNAL
    )
    message = refused(lambda: client.predict(arrays, name=""), Code.INVALID_ARGUMENT)
    assert message == "ModelSpec has no name specified."
    nothing = predict_pb2.PredictRequest()
    message = refused(lambda: client.prediction.Predict(nothing), Code.INVALID_ARGUMENT)
    assert message == "Missing ModelSpec"
    classify = classification_pb2.ClassificationRequest()
    refused(lambda: client.prediction.Classify(classify), Code.UNIMPLEMENTED)


def test_names_of_inputs_and_outputs(client):
    arrays = tiny_model.inputs()
    extra = {**arrays, "wind": np.zeros(1, np.float32)}
    message = refused(lambda: client.predict(extra), Code.INVALID_ARGUMENT)
    assert message.startswith("input size does not match signature: 7!=6 len({closeness,holiday,")
    assert message.endswith("Sent extra: {wind}. Missing but required: {}.")
    missing = {name: v for name, v in arrays.items() if name != "trend"}
    message = refused(lambda: client.predict(missing), Code.INVALID_ARGUMENT)
    assert message.endswith("Sent extra: {}. Missing but required: {trend}.")
    other = {**missing, "wind": np.zeros(1, np.float32)}
    message = refused(lambda: client.predict(other), Code.INVALID_ARGUMENT)
    assert message.startswith("Signature input alias: trend not found in request")

    unknown = lambda: client.predict(arrays, output_filter=["flow", "speed"])  # noqa: E731
    message = refused(unknown, Code.INVALID_ARGUMENT)
    assert message == (
        "output tensor alias not found in signature: speed "
        "Outputs expected to be in the set {flow}."
    )
    twice = lambda: client.predict(arrays, output_filter=["flow", "flow"])  # noqa: E731
    assert refused(twice, Code.INVALID_ARGUMENT) == "duplicate output tensor alias: flow"


def test_types_and_shapes_of_inputs(client):
    arrays = tiny_model.inputs()
    wrong = {**arrays, "target_time": np.zeros(1, np.float32)}
    message = refused(lambda: client.predict(wrong), Code.INVALID_ARGUMENT)
    assert message == "Expects arg[3] to be int64 but float is provided"
    for shape in ((1, 4, 4, 3, 2), (1, 3, 4, 3), ()):
        wrong = {**arrays, "closeness": np.zeros(shape, np.float32)}
        message = refused(lambda wrong=wrong: client.predict(wrong), Code.INVALID_ARGUMENT)
        assert "closeness" in message and "[?,3,4,3,2]" in message
    short = tf.make_tensor_proto(arrays["closeness"])
    short.tensor_content = short.tensor_content[:-4]
    message = refused(lambda: client.predict({**arrays, "closeness": short}), Code.INVALID_ARGUMENT)
    assert message == "tensor parsing error: closeness"


def test_an_error_in_the_graph_keeps_code_and_message(client):
    arrays = tiny_model.inputs()
    arrays["closeness"][0, 0, 0, 0, 0] = np.nan
    message = refused(lambda: client.predict(arrays), Code.INVALID_ARGUMENT)
    assert message.startswith(f"assertion failed: [{tiny_model.NOT_FINITE}]")
    assert "Graph execution error" not in message and "[Op:" not in message
    # Inputs of different batch sizes: only the graph sees that.
    arrays = tiny_model.inputs(2) | {"trend": tiny_model.inputs(3)["trend"]}
    refused(lambda: client.predict(arrays), Code.INVALID_ARGUMENT)


def test_long_messages_are_cut(client):
    arrays = {f"input_{i}": np.zeros(1) for i in range(400)}
    message = refused(lambda: client.predict(arrays), Code.INVALID_ARGUMENT)
    assert len(message) == 1024 + len("...TRUNCATED") and message.endswith("...TRUNCATED")


def test_requests_larger_than_grpcs_default(client, bare):
    arrays = tiny_model.inputs(8000)  # 5 MB
    request = client.request(arrays)
    assert request.ByteSize() > 4 << 20
    response = client.predict(arrays)
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["flow"]), bare(**arrays)["flow"])


def test_metadata(client):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    message = refused(lambda: client.prediction.GetModelMetadata(request), Code.INVALID_ARGUMENT)
    assert message == "Missing ModelSpec"
    request.model_spec.name = "crowdflow"
    response = client.prediction.GetModelMetadata(request)
    assert response.model_spec.version.value == 3
    definitions = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(definitions)
    inputs = definitions.signature_def["serving_default"].inputs
    assert set(inputs) == set(tiny_model.SPECS)
    assert [d.size for d in inputs["closeness"].tensor_shape.dim] == [-1, 3, 4, 3, 2]
    request.metadata_field[:] = ["weights"]
    refused(lambda: client.prediction.GetModelMetadata(request), Code.INVALID_ARGUMENT)
    del request.metadata_field[:]
    refused(lambda: client.prediction.GetModelMetadata(request), Code.INVALID_ARGUMENT)


def test_status(client):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "crowdflow"
    [status] = client.models.GetModelStatus(request).model_version_status
    assert (status.version, status.state, status.status.error_code) == (3, status.AVAILABLE, 0)
    request.model_spec.version.value = 9
    message = refused(lambda: client.models.GetModelStatus(request), Code.NOT_FOUND)
    assert message == "Could not find version 9 of model crowdflow"
    request.model_spec.name = "other"
    request.model_spec.ClearField("version")
    message = refused(lambda: client.models.GetModelStatus(request), Code.NOT_FOUND)
    assert message == "Could not find any versions of model other"
