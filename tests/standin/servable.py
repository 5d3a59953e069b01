"""A loaded SavedModel: its signatures, what they accept, and one request's way through them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_log_pb2

from standin import tensors
from standin.errors import ServingError, from_tensorflow, invalid, not_found

DEFAULT_SIGNATURE = "serving_default"
METHODS = tuple(f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))
WARM_UP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
WARM_UP_RECORDS = 1000


class Input(NamedTuple):
    """What a signature says of an input: type, and shape with None where any size goes (None: any rank)."""

    dtype: tf.DType
    shape: tuple[int | None, ...] | None

    @classmethod
    def of(cls, info: meta_graph_pb2.TensorInfo) -> "Input":
        """From the signature definition."""
        shape = tf.TensorShape(info.tensor_shape)
        return cls(tf.as_dtype(info.dtype), None if shape.rank is None else tuple(shape.as_list()))

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape may be fed."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            size in (None, given) for size, given in zip(self.shape, shape)
        )


class Signature:
    """One signature of a loaded model; everything about it that a request needs is made once, here.

    Attributes:
      name: its key in the SavedModel.
      inputs: by name, in sorted order.
      outputs: DataType by name, in sorted order.
    """

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef, function):
        self.name = name
        self.inputs = {key: Input.of(definition.inputs[key]) for key in sorted(definition.inputs)}
        self.outputs = {key: definition.outputs[key].dtype for key in sorted(definition.outputs)}
        self._names = self.inputs.keys()
        self._method = definition.method_name
        self._function = function
        # The order of the function's own flat arguments. Calling it flat takes half the time of
        # binding keywords again, which Input has checked already; TensorFlow's version is locked.
        self._order = [str(key) for key in function._arg_keywords] if function is not None else []

    def check_method(self) -> None:
        """Refuses what is no prediction signature, such as the initialiser's."""
        if self._method not in METHODS or self._function is None:
            raise ServingError(
                grpc.StatusCode.INTERNAL,
                "Expected prediction signature method_name to be one of "
                f"{{{', '.join(METHODS)}}}. Was: {self._method}",
            )

    def decode(self, protos: Mapping[str, tensor_pb2.TensorProto]) -> dict[str, np.ndarray]:
        """The request's arrays, checked by name and type.

        Raises:
          ServingError: INVALID_ARGUMENT.
        """
        if protos.keys() != self._names:
            raise self._wrong_names(protos.keys())
        arrays = {}
        for name in self._names:
            try:
                arrays[name] = tensors.decode(protos[name])
            except (ValueError, TypeError) as error:
                raise invalid(f"tensor parsing error: {name}") from error
        for index, (name, wanted) in enumerate(self.inputs.items()):
            if protos[name].dtype != wanted.dtype.as_datatype_enum:
                given = tf.as_dtype(protos[name].dtype)
                raise invalid(
                    f"Expects arg[{index}] to be {type_name(wanted.dtype)} "
                    f"but {type_name(given)} is provided"
                )
        return arrays

    def run(self, arrays: Mapping[str, np.ndarray], wanted: Iterable[str]) -> dict[str, np.ndarray]:
        """Checks the shapes and calls the signature.

        Args:
          arrays: one of the right type for every input.
          wanted: names of outputs.

        Returns:
          The outputs by name; strings as object arrays of bytes.

        Raises:
          ServingError: INVALID_ARGUMENT for a shape, or what the graph raised.
        """
        for name, (_, shape) in self.inputs.items():
            if not self.inputs[name].accepts(arrays[name].shape):
                expected = ",".join("?" if size is None else str(size) for size in shape)
                given = ",".join(map(str, arrays[name].shape))
                raise invalid(f"Input {name} must have shape [{expected}] but [{given}] was given")
        try:
            flat = [tf.constant(arrays[name], self.inputs[name].dtype) for name in self._order]
            out = self._function._call_flat(flat, self._function.captured_inputs)
            return {name: _array(out[name]) for name in wanted}
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error

    def wanted(self, output_filter: Iterable[str]) -> tuple[str, ...]:
        """The outputs to answer.

        Raises:
          ServingError: INVALID_ARGUMENT for an unknown or repeated name.
        """
        names = tuple(output_filter)
        for index, name in enumerate(names):
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {name} "
                    f"Outputs expected to be in the set {{{','.join(self.outputs)}}}."
                )
            if name in names[:index]:
                raise invalid(f"duplicate output tensor alias: {name}")
        return names or tuple(self.outputs)

    def _wrong_names(self, given: Iterable[str]) -> ServingError:
        sent, known = set(given), set(self._names)
        if len(sent) == len(known):
            missing = min(known - sent)
            return invalid(
                f"Signature input alias: {missing} not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{','.join(sorted(sent))}}}, "
                "or default input alias set: "
            )
        return invalid(
            f"input size does not match signature: {len(sent)}!={len(known)} "
            f"len({{{','.join(sorted(sent))}}}) != len({{{','.join(sorted(known))}}}). "
            f"Sent extra: {{{','.join(sorted(sent - known))}}}. "
            f"Missing but required: {{{','.join(sorted(known - sent))}}}."
        )


class Servable:
    """A SavedModel in memory, warmed up.

    Attributes:
      definitions: its signature definitions, as GetModelMetadata answers them.
      signatures: by name.
    """

    def __init__(self, folder: Path):
        """Loads all of it.

        Raises:
          Exception: whatever TensorFlow raises for a folder that is not a whole SavedModel.
        """
        definitions = _definitions(folder)
        self.definitions = get_model_metadata_pb2.SignatureDefMap(signature_def=definitions)
        self._loaded = tf.saved_model.load(str(folder), tags=["serve"])
        functions = self._loaded.signatures
        self.signatures = {
            name: Signature(name, definition, functions[name] if name in functions else None)
            for name, definition in definitions.items()
        }
        self._warm_up(folder / WARM_UP_FILE)

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Answers a request, its model specification apart but for the signature.

        Raises:
          ServingError: as the server does.
        """
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = self.signatures.get(name)
        if signature is None:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        signature.check_method()
        arrays = signature.decode(request.inputs)
        out = signature.run(arrays, signature.wanted(request.output_filter))
        response = predict_pb2.PredictResponse()
        response.model_spec.signature_name = name
        for key, array in out.items():
            response.outputs[key].CopyFrom(tensors.encode(array, signature.outputs[key]))
        return response

    def _warm_up(self, path: Path) -> None:
        """Sends the recorded requests; one that fails fails the load, as in the server."""
        if not path.exists():
            return
        for count, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator(), 1):
            if count > WARM_UP_RECORDS:
                raise invalid(
                    f"Number of warmup records exceeds the maximum ({WARM_UP_RECORDS}) at {path}"
                )
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") == "predict_log":
                self.predict(log.predict_log.request)


def type_name(dtype: tf.DType) -> str:
    """The name that TensorFlow's C++ gives a type: float for float32."""
    return {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)


def _definitions(folder: Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    path = folder / "saved_model.pb"
    if not path.exists():
        raise not_found(
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}. "
            "Check that the directory exists and that you have the right permissions for "
            "accessing it."
        )
    try:
        saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS, f"Can't parse {path} as binary proto"
        ) from error
    for graph in saved.meta_graphs:
        if set(graph.meta_info_def.tags) == {"serve"}:
            return dict(graph.signature_def)
    raise not_found(
        "Could not find meta graph def matching supplied tags: { serve }. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`"
    )


def _array(tensor: tf.Tensor) -> np.ndarray:
    value = tensor.numpy()
    return value if isinstance(value, np.ndarray) else np.array(value, dtype=_numpy_type(tensor))


def _numpy_type(tensor: tf.Tensor):
    return object if tensor.dtype == tf.string else tensor.dtype.as_numpy_dtype
