"""TensorFlow Serving's REST API. The client needs no TensorFlow.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from crowdflow.schema.errors import ServingError
from crowdflow.serving.transport import Options

_NOT_READY = (429, 502, 503, 504)
_FIRST_WAIT = 0.2  # seconds; doubled with every retry


class RestServer:
    """A transport over HTTP; see `serving.transport`."""

    def __init__(self, address: str, **options: Any):
        """Sends no request yet.

        Args:
          address: `http://host:port`.
          **options: of `serving.Options`.
        """
        asked = Options(**options)
        which = f"/labels/{asked.label}" if asked.label else ""
        if asked.version is not None:
            which = f"/versions/{asked.version}"
        self._url = f"{address.rstrip('/')}/v1/models/{asked.name}{which}:predict"
        self._timeout = asked.timeout
        self._session = requests.Session()
        retry = Retry(
            total=asked.retries,
            backoff_factor=_FIRST_WAIT,
            status_forcelist=_NOT_READY,
            allowed_methods=["POST"],  # a forecast has no side effects, so it can be retried
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def predict(self, inputs: Mapping[str, np.ndarray], signature: str, output: str) -> np.ndarray:
        """See `Transport`."""
        columns = {name: _plain(name, values) for name, values in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        try:
            answer = self._session.post(
                self._url,
                data=orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY),
                headers={"Content-Type": "application/json"},
                timeout=self._timeout,
            )
        except requests.RequestException as error:
            raise ServingError(f"{self._url}: no answer. {error}") from None
        if answer.status_code != requests.codes.ok:
            raise ServingError(f"{self._url}: {answer.status_code} {_error_text(answer)}")
        try:
            found = orjson.loads(answer.content)["outputs"]
        except (ValueError, KeyError, TypeError):
            raise ServingError(
                f"{self._url}: expected JSON with `outputs`. Received: {answer.text[:200]!r}."
            ) from None
        if isinstance(found, dict):  # a signature with several outputs returns them by name
            found = found[output]
        texts = bool(found) and isinstance(found[0], str)
        return np.array(found, object if texts else np.float32)


def _plain(name: str, values: np.ndarray) -> np.ndarray | list:
    if values.dtype == object:
        return values.tolist()
    if not np.isfinite(values).all():
        raise ServingError(
            f"{name}: expected finite values, JSON has no others. Received NaN or Inf."
        )
    return np.ascontiguousarray(values)


def _error_text(answer: requests.Response) -> str:
    try:
        return str(orjson.loads(answer.content)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]
