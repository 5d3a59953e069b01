"""TensorFlow Serving's REST API. The client needs no TensorFlow.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from crowdflow.schema.errors import ServingError
from crowdflow.schema.secrets import without_secrets
from crowdflow.serving import credentials
from crowdflow.serving.transport import Options, require_outputs

_SCHEMES = ("http", "https")
_NOT_READY = (429, 502, 503, 504)
_FIRST_WAIT = 0.2  # seconds; doubled with every retry


class RestServer:
    """A transport over HTTP; see `serving.transport`."""

    def __init__(self, address: str, **options: Any):
        """Sends no request yet.

        Args:
          address: `http://host:port`, or with TLS `https://host:port`; a user and a password in it are sent by
            HTTP's basic authentication.
          **options: of `serving.Options`.

        Raises:
          ConfigError: it is no such address, or the options do not fit it.
        """
        self._options = asked = Options(**options)
        found = credentials.parse(address, _SCHEMES)
        asked.check(found)
        which = f"/labels/{asked.label}" if asked.label else ""
        if asked.version is not None:
            which = f"/versions/{asked.version}"
        self._url = f"{found.url}/v1/models/{asked.name}{which}:predict"
        self._password = found.login[1] if found.login else None
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc
        self._session.verify = credentials.roots(asked.ca_file) or True
        if found.login:
            self._session.auth = tuple(part.encode() for part in found.login)
        if not found.is_local:  # a proxy cannot reach this machine's loopback interface
            self._session.proxies = requests.utils.get_environ_proxies(found.url)
        retry = Retry(
            total=asked.retries,
            other=0,  # such as a certificate of an unknown authority
            backoff_factor=_FIRST_WAIT,
            status_forcelist=_NOT_READY,
            allowed_methods=["POST"],  # a forecast has no side effects, so it can be retried
            raise_on_status=False,
            respect_retry_after_header=False,  # a server does not say how long a caller hangs
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def predict(
        self, inputs: Mapping[str, np.ndarray], signature: str, outputs: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """See `Transport`."""
        columns = {name: _plain(name, values) for name, values in inputs.items()}
        answer = self._post({"signature_name": signature, "inputs": columns})
        try:
            found = orjson.loads(answer.content)["outputs"]
            if not isinstance(found, dict):  # only a signature with several outputs names them
                found = {outputs[0]: found}
            require_outputs(self._url, outputs, found)
            return {name: _array(found[name]) for name in outputs}
        except (ValueError, LookupError, TypeError):
            raise ServingError(
                f"{self._url}: expected JSON with `outputs`. Received: {answer.text[:200]!r}."
            ) from None

    def _post(self, body: dict[str, Any]) -> requests.Response:
        """The answer to a request, which the server has accepted.

        Raises:
          ServingError: there is no answer, or it is a refusal or a redirect.
        """
        headers = {"Content-Type": "application/json"}
        token = self._options.current_token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            answer = self._session.post(
                self._url,
                data=orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY),
                headers=headers,
                timeout=self._options.timeout,
                allow_redirects=False,  # flows and credentials are for this server alone
            )
        except requests.RequestException as error:
            raise ServingError(f"{self._url}: no answer. {error}") from None
        if answer.status_code == requests.codes.ok:
            return answer
        text = _error_text(answer)
        if answer.is_redirect:
            text = f"redirects to {answer.headers['Location']}, which is not followed. Give that address."
        message = f"{self._url}: {answer.status_code} {text}"
        raise ServingError(without_secrets(message, token, self._password))


def _array(values: Any) -> np.ndarray:
    if not isinstance(values, list):
        raise TypeError
    return np.array(values, object if isinstance(values[0], str) else np.float32)


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
