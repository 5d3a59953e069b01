"""Who asks a server, and how the server is known: its address, tokens, and certificates."""

import dataclasses
import ipaddress
import re
import ssl
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from crowdflow.schema.errors import ConfigError

_TOKEN = re.compile(r"[\w\-.~+/]+=*", re.ASCII)  # RFC 6750
# Where Debian and Fedora keep the roots, for a Python that does not know.
_ROOTS = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclasses.dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
      url: without user and password, and without a slash at the end.
      host: such as `localhost`, `10.0.0.1` or `::1`.
      place: `host:port`, as the URL has it.
      is_encrypted: whether it is reached through TLS.
      login: user and password, or None.
    """

    url: str
    host: str
    place: str
    is_encrypted: bool
    login: tuple[str, str] | None = dataclasses.field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it is this machine's loopback interface, on which nobody else can listen."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Access:
    """What a server gets to see, and what it must show.

    Attributes:
      token: bearer token that is sent with every request.
      token_file: file with the token, read for every request, as tokens are renewed.
      ca_file: certificates (PEM) that the server's must be signed by; None means the system's.
      credentials_in_clear: send a token or a password to another machine without TLS.

    Raises:
      ConfigError: both token and file are given, or one is not a token.
    """

    token: str | None = dataclasses.field(default=None, repr=False)
    token_file: str | Path | None = None
    ca_file: str | Path | None = None
    credentials_in_clear: bool = False

    def __post_init__(self):
        if self.token is not None and self.token_file is not None:
            raise ConfigError("Expected a token or a file with a token. Received both.")
        self.current_token()

    def current_token(self) -> str | None:
        """The token of the next request, or None.

        Raises:
          ConfigError: the file cannot be read, or has no token.
        """
        if self.token_file is None:
            return None if self.token is None else _check_token(self.token, "The token")
        try:
            text = Path(self.token_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "It is not UTF-8"
            raise ConfigError(
                f"{self.token_file}: expected a file with a token. {reason}."
            ) from None
        return _check_token(text, str(self.token_file))

    def check(self, address: Address) -> None:
        """Checks that no secret can be read on its way to a server, and that each is of use.

        Raises:
          ConfigError: a token or a password would be sent to another machine without TLS, there are both, or
            there is a CA file without TLS.
        """
        has_token = self.token is not None or self.token_file is not None
        if has_token and address.login:
            raise ConfigError(
                f"{address.url}: expected a token, or a user and a password. Received both."
            )
        if address.is_encrypted:
            return
        if self.ca_file:
            raise ConfigError(
                f"{address.url}: expected an address with TLS (https:// or grpcs://) with a CA file."
            )
        if has_token or address.login:
            if not (address.is_local or self.credentials_in_clear):
                raise ConfigError(
                    f"{address.url}: expected an address with TLS (https:// or grpcs://) for a token or a "
                    "password, which anyone on the way could read. If the way is protected otherwise, allow it by "
                    "--credentials-in-clear (credentials_in_clear=True)."
                )


def parse(address: str, schemes: Sequence[str]) -> Address:
    """Takes an address apart.

    Args:
      address: with its scheme.
      schemes: the one without TLS, and the one with it.

    Raises:
      ConfigError: it is no such address.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        ok = parts.scheme in schemes and parts.hostname and not (parts.query or parts.fragment)
        ok = ok and parts.port != 0  # raises ValueError if it is no number
    except ValueError:
        ok = False
    if not ok:
        raise ConfigError(
            f"{address}: expected {' or '.join(f'{scheme}://HOST:PORT' for scheme in schemes)}; in a user or a "
            "password, / is written %2F and @ is %40."
        )
    place = parts.netloc.rpartition("@")[2]
    login = None
    if "@" in parts.netloc:
        login = tuple(urllib.parse.unquote(part or "") for part in (parts.username, parts.password))
    url = f"{parts.scheme}://{place}{parts.path.rstrip('/')}"
    return Address(url, parts.hostname, place, parts.scheme == schemes[1], login)


def roots(ca_file: str | Path | None) -> str | None:
    """The file of the certificates (PEM) that a server's certificate must be signed by.

    Args:
      ca_file: it; None means the system's, or that which `SSL_CERT_FILE` names.

    Returns:
      Its path, or None if the system has none; clients then use those that they bring.

    Raises:
      ConfigError: the given file has no certificates.
    """
    if ca_file is None:
        known = (ssl.get_default_verify_paths().cafile, *_ROOTS)
        return next((path for path in known if path and Path(path).is_file()), None)
    try:
        ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror if isinstance(error, FileNotFoundError) else error
        raise ConfigError(
            f"{ca_file}: expected a file of CA certificates (PEM). {reason}."
        ) from None
    return str(ca_file)


def _check_token(token: str, source: str) -> str:
    """The token without white space around it, if a header can carry it; a message never shows it."""
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise ConfigError(
            f"{source}: expected a bearer token, one word of letters, digits and -._~+/. Received another text of "
            f"{len(token):,} characters."
        )
    return token
