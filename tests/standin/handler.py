"""What the server answers, whatever the transport."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

from standin.errors import ServingError, invalid, not_found
from standin.servable import DEFAULT_SIGNATURE, Input, Signature
from standin.versions import Model, servable_not_found

SIGNATURE_DEF = "signature_def"
COUNT_METRIC = ":tensorflow:serving:request_count"


class Handler:
    """Answers requests to a set of models."""

    def __init__(self, models: Mapping[str, Model]):
        self._models = dict(models)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """PredictionService.Predict.

        Raises:
          ServingError: as the server does.
        """
        _check_spec(request)
        spec = request.model_spec
        with self._use(spec) as version:
            response = version.servable.predict(request)
        response.model_spec.name = spec.name
        response.model_spec.version.value = version.number
        return response

    def predict_arrays(
        self,
        spec: model_pb2.ModelSpec,
        fill: Callable[[Mapping[str, Input]], Mapping[str, np.ndarray]],
    ) -> tuple[Signature, dict[str, np.ndarray]]:
        """The REST interface's way: looks the signature up first, so that JSON can be read by its types.

        Args:
          spec: model, version and signature.
          fill: makes an array of the right type for every input.

        Returns:
          The signature, and its outputs by name.

        Raises:
          ServingError: as the server does.
        """
        name = spec.signature_name or DEFAULT_SIGNATURE
        with self._use(spec) as version:
            signature = version.servable.signatures.get(name)
            if signature is None:
                raise invalid(f'Serving signature name: "{name}" not found in signature def')
            if not signature.inputs:
                raise invalid(
                    f"Failed to get input map for signature: {spec.signature_name or 'DEFAULT'}"
                )
            arrays = fill(signature.inputs)
            signature.check_method()
            return signature, signature.run(arrays, signature.outputs)

    def metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """PredictionService.GetModelMetadata.

        Raises:
          ServingError: as the server does.
        """
        _check_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != SIGNATURE_DEF:
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._use(request.model_spec) as version:
            response.metadata[SIGNATURE_DEF].Pack(version.servable.definitions)
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = version.number
        return response

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """ModelService.GetModelStatus.

        Raises:
          ServingError: as the server does.
        """
        _check_spec(request)
        spec = request.model_spec
        number, label = _number_and_label(spec)
        model = self._models.get(spec.name)
        if model is None and number is not None:
            raise not_found(f"Could not find version {number} of model {spec.name}")
        if model is None:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=model.statuses(number, label)
        )

    def count(self, model: str, error: ServingError | None) -> None:
        """Counts an answer to a prediction request."""
        with self._lock:
            self._counts[model, error.code.name if error else "OK"] += 1

    def metrics(self) -> str:
        """The counts in Prometheus' text format."""
        with self._lock:
            counts = sorted(self._counts.items())
        lines = [f"# TYPE {COUNT_METRIC} counter"]
        for (model, code), value in counts:
            escaped = model.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{COUNT_METRIC}{{model_name="{escaped}",status="{code}"}} {value}')
        return "\n".join(lines) + "\n"

    def _use(self, spec: model_pb2.ModelSpec):
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        number, label = _number_and_label(spec)
        model = self._models.get(spec.name)
        if model is None and label is not None:
            raise invalid(f"Unrecognized servable version label: {label}")
        if model is None:
            raise servable_not_found(spec.name, number)
        return model.use(number, label)


def _number_and_label(spec: model_pb2.ModelSpec) -> tuple[int | None, str | None]:
    kind = spec.WhichOneof("version_choice")
    return (
        spec.version.value if kind == "version" else None,
        spec.version_label if kind == "version_label" else None,
    )


def _check_spec(request) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
