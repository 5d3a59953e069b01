"""A certificate authority, and servers over HTTP and gRPC, with TLS or without, that want a token and record."""

import datetime as dt
import inspect
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tensorflow_serving.apis import prediction_service_pb2_grpc

Answer = tuple[int, Mapping[str, str], bytes]


class Authority(NamedTuple):
    """Files (PEM) of an authority: its own certificate, and a server's that it signed, with its key."""

    ca: Path
    certificate: Path
    key: Path


def make_authority(folder: Path) -> Authority:
    """An authority, and a certificate of 127.0.0.1 and localhost."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {folder.name}")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    own = x509.BasicConstraints(ca=True, path_length=None)
    ca = _signed(ca_name, ca_key, ca_name, ca_key, own)
    certificate = _signed(name, key, ca_name, ca_key, x509.SubjectAlternativeName(places))
    found = Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    found.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    found.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return found


def _signed(name, key, issuer, issuer_key, extension) -> x509.Certificate:
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(hours=1))
    builder = builder.not_valid_after(now + dt.timedelta(days=1)).add_extension(extension, True)
    # Since Python 3.13 the names of the keys are asked for, and of an authority what its key may sign.
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(by, False)
    itself = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(itself, False)
    if isinstance(extension, x509.BasicConstraints):
        signs = dict.fromkeys(inspect.signature(x509.KeyUsage).parameters, False)
        signs |= {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**signs), True)
    return builder.sign(issuer_key, hashes.SHA256())


class Site:
    """An HTTP server that gives every request to a function, and records paths and headers.

    Attributes:
      requests: path and headers of each.
      place: `127.0.0.1:PORT`.
    """

    def __init__(self, answer: Callable[[str, Mapping[str, str], bytes], Answer], authority=None):
        site = self
        self.requests: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # noqa: N802
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                site.requests.append((self.path, dict(self.headers)))
                code, headers, content = answer(self.path, self.headers, body)
                self.send_response(code)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_CONNECT = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                found, address = super().get_request()
                if authority:  # the handshake is the connection's thread's
                    found = context.wrap_socket(found, True, do_handshake_on_connect=False)
                return found, address

            def handle_error(self, *_):
                """A client that ends the handshake is what some tests want."""

        if authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.certificate, authority.key)
        self._server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stops."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def site(answer, authority: Authority | None = None) -> Iterator[Site]:
    """A `Site` that is closed at the end."""
    found = Site(answer, authority)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def rpc(predict, authority: Authority | None = None) -> Iterator[str]:
    """The place of a gRPC server whose `Predict` is a function of request and context."""

    class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            return predict(request, context)

    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=limits)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(), server)
    if authority:
        pair = (authority.key.read_bytes(), authority.certificate.read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
