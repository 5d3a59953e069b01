"""Object stores, `s3://` and `gs://`, through Arrow's clients.

Stores have keys, not folders: a folder exists while an object lies below it or an empty object marks it. Renaming
is not atomic; an object exists as a whole or not at all. Nothing here imports TensorFlow or TFX.
"""

import contextlib
import datetime as dt
import functools
import os
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
from pyarrow import fs

from crowdflow.schema.errors import StoreError
from crowdflow.schema.secrets import has_user
from crowdflow.storage.addresses import is_whole

_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 60.0
_RETRY_SECONDS = 8  # for Google's client, which would retry for minutes
# Environment variables with a store's address and credentials: a change needs a new connection.
_VARIABLES = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "STORAGE_EMULATOR_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
)
_NO_BUCKET = ("NO_SUCH_BUCKET", "NoSuchBucket", "Bucket '")
_NO_ANSWER = ("NETWORK_CONNECTION", "REQUEST_TIMEOUT", "CURL error", "UNAVAILABLE")
_REFUSED = (
    "ACCESS_DENIED",
    "INVALID_ACCESS_KEY_ID",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_CLIENT_TOKEN_ID",
    "UNRECOGNIZED_CLIENT",
    "HTTP Status Code: 401",
    "HTTP Status Code: 403",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "OAuth2",
)
_CREDENTIALS = {
    "s3://": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role used instead",
    "gs://": "GOOGLE_APPLICATION_CREDENTIALS, or the service account used instead",
}


class Entry(NamedTuple):
    """An object or a folder.

    Attributes:
      address: with its scheme, without a trailing slash.
      is_folder: whether it is a folder; size and time are 0 then.
      size: in bytes.
      modified: nanoseconds since 1970-01-01 UTC.
    """

    address: str
    is_folder: bool
    size: int = 0
    modified: int = 0


def info(address: str) -> Entry | None:
    """The object or folder at an address, or None.

    Raises:
      StoreError: the store does not answer, refuses access, or has no such bucket.
    """
    store, key = connect(address)
    with clear_errors(address):
        found = store.get_file_info(key)
        # In a bucket that does not exist, Google's client reports every key as a folder.
        if found.type != fs.FileType.File:
            bucket = key.partition("/")[0]
            if store.get_file_info(bucket).type == fs.FileType.NotFound:
                raise StoreError(f"{address}: the object store has no bucket {bucket}.")
    return None if found.type == fs.FileType.NotFound else _entry(address, found)


def entries(folder: str, recursive: bool = False) -> list[Entry]:
    """Objects and folders directly in a folder, or at any depth if recursive, sorted by address.

    A folder that does not exist has none.

    Raises:
      StoreError: as `info`.
    """
    store, key = connect(folder)
    # Google's client does not list folders without a marker object, so they are derived from the keys.
    deep = recursive or isinstance(store, fs.GcsFileSystem)
    selector = fs.FileSelector(key, allow_not_found=True, recursive=deep)
    with clear_errors(folder):
        listed = {_entry(folder, found) for found in store.get_file_info(selector)}
    if not listed:
        info(folder)  # raises if there is no bucket
    start = len(folder.rstrip("/")) + 1
    listed |= {Entry(name, True) for entry in listed for name in _folders(entry.address, start)}
    below = {entry: entry.address[start:] for entry in listed}
    for name in below.values():
        if ".." in name.split("/"):  # such a key, downloaded, would be written outside its folder
            raise StoreError(f"{folder}: expected keys without '..'. Received: {name!r}.")
    return sorted(e for e, name in below.items() if name and (recursive or "/" not in name))


def read(address: str) -> bytes:
    """An object's bytes.

    Raises:
      StoreError: as `info`, or there is no such object.
    """
    with open_to_read(address) as file, clear_errors(address):
        return file.read()


def open_to_read(address: str) -> pa.NativeFile:
    """Opens an object as a seekable file.

    Raises:
      StoreError: as `info`, or there is no such object.
    """
    store, key = connect(address)
    with clear_errors(address):
        return store.open_input_file(key)


def open_to_write(address: str) -> pa.NativeFile:
    """Opens an object for writing; it exists once the file is closed.

    Raises:
      StoreError: as `info`.
    """
    store, key = connect(address)
    with clear_errors(address):
        return store.open_output_stream(key, compression=None)


@contextlib.contextmanager
def clear_errors(address: str) -> Iterator[None]:
    """Turns a client's errors into a StoreError with the address, the problem and what to check."""
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"{address}: no such object, or no such bucket, in the object store."
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{address}: {_explain(address, str(error))}") from None


def connect(address: str) -> tuple[fs.FileSystem, str]:
    """The store's client and `bucket/key`; each process creates a client once.

    Raises:
      StoreError: the address names no bucket, has an empty part or credentials, or the store's URL has some.
    """
    scheme, _, key = address.partition("://")
    key = key.rstrip("/")
    if has_user(address):
        raise StoreError(
            f"{address}: expected {scheme}://BUCKET/KEY, without credentials. Give them in the environment: "
            f"{_CREDENTIALS[f'{scheme}://']}."
        )
    if not is_whole(address):
        raise StoreError(f"{address}: expected {scheme}://BUCKET/KEY without empty parts.")
    environment = tuple(os.environ.get(name) for name in _VARIABLES)
    with clear_errors(address):
        return _client(f"{scheme}://", key.partition("/")[0], environment), key


@functools.lru_cache(maxsize=32)
def _client(scheme: str, bucket: str, environment: tuple[str | None, ...]) -> fs.FileSystem:
    given = dict(zip(_VARIABLES, environment))
    endpoint = endpoint_of(scheme)
    if scheme == "gs://":
        options = _endpoint(endpoint) | {"anonymous": True} if endpoint else {}
        return fs.GcsFileSystem(retry_time_limit=dt.timedelta(seconds=_RETRY_SECONDS), **options)
    options = {"connect_timeout": _CONNECT_SECONDS, "request_timeout": _REQUEST_SECONDS}
    region = given["AWS_REGION"] or given["AWS_DEFAULT_REGION"]
    if endpoint:
        options |= _endpoint(endpoint)
        region = region or "us-east-1"  # accepted by stores other than Amazon's
    return fs.S3FileSystem(region=region or fs.resolve_s3_region(bucket), **options)


def endpoint_of(scheme: str) -> str | None:
    """The URL that the environment sets for a store, or None for the provider's own.

    Raises:
      StoreError: it has a user or a password.
    """
    names = ("STORAGE_EMULATOR_HOST",)
    if scheme == "s3://":
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    for name in names:
        url = os.environ.get(name)
        if (
            url and "@" in url
        ):  # not shown: without a scheme, its user could not be told from its host
            raise StoreError(
                f"{name}: expected a URL without user and password; they belong into {_CREDENTIALS[scheme]}."
            )
        if url:
            return url
    return None


def _endpoint(url: str) -> dict[str, str]:
    scheme, separator, host = url.rpartition("://")
    return {"scheme": scheme if separator else "http", "endpoint_override": host.rstrip("/")}


def _folders(address: str, start: int) -> Iterator[str]:
    """The folders that contain an address, below the folder that ends before `start`."""
    parts = address[start:].split("/")
    return (address[:start] + "/".join(parts[:n]) for n in range(1, len(parts)))


def _entry(sibling: str, found: fs.FileInfo) -> Entry:
    address = f"{sibling.partition('://')[0]}://{found.path.rstrip('/')}"
    if found.type == fs.FileType.Directory:
        return Entry(address, True)
    return Entry(address, False, found.size, found.mtime_ns)


def _explain(address: str, error: str) -> str:
    scheme = address[: address.index("://") + 3]
    where = endpoint_of(scheme) or "its provider's own address"
    if any(word in error for word in _REFUSED):
        what = f"the object store at {where} refuses access. Check {_CREDENTIALS[scheme]}, and their permissions."
    elif any(word in error for word in _NO_BUCKET):
        what = f"the object store at {where} has no such bucket."
    elif any(word in error for word in _NO_ANSWER):
        name = "AWS_ENDPOINT_URL" if scheme == "s3://" else "STORAGE_EMULATOR_HOST"
        what = f"the object store at {where} does not answer. Check {name} and the network."
    else:
        what = "the object store failed."
    return f"{what} Its message: {error[:400]}"
