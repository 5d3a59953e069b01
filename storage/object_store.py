"""Object stores, `s3://` and `gs://`, by Arrow's own clients: what the file layers above need, and no more.

Keys are no folders: a folder is there while an object lies below it, or an empty one stands for it. No rename is
atomic; an object is there whole or not at all. Nothing here imports TensorFlow or TFX.
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
from crowdflow.storage.addresses import is_whole

_CONNECT_SECONDS, _REQUEST_SECONDS = 5.0, 60.0
_RETRY_SECONDS = 8  # of Google's client, which would go on for minutes
# Of the variables that say where a store is and who asks: a change of one is another connection.
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
    "s3://": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile or role that stands for them",
    "gs://": "GOOGLE_APPLICATION_CREDENTIALS, or the service account that stands for it",
}


class Entry(NamedTuple):
    """An object, or a folder.

    Attributes:
      address: with its scheme, without a slash at the end.
      is_folder: whether it is a folder; then the rest is 0.
      size: bytes.
      modified: nanoseconds since 1970-01-01 UTC.
    """

    address: str
    is_folder: bool
    size: int = 0
    modified: int = 0


def info(address: str) -> Entry | None:
    """The object or folder at an address, or None.

    Raises:
      StoreError: the store does not answer or refuses, or has no such bucket.
    """
    store, key = connect(address)
    with told(address):
        found = store.get_file_info(key)
        # Google's client takes anything in a bucket that is not there for a folder.
        if found.type != fs.FileType.File:
            bucket = key.partition("/")[0]
            if store.get_file_info(bucket).type == fs.FileType.NotFound:
                raise StoreError(f"{address}: the object store has no bucket {bucket}.")
    return None if found.type == fs.FileType.NotFound else _entry(address, found)


def entries(folder: str, recursive: bool = False) -> list[Entry]:
    """What lies directly in a folder, or, recursive, at any depth, sorted by address; none where it is not there.

    Raises:
      StoreError: as `info`.
    """
    store, key = connect(folder)
    # Google's client lists no folder that only its objects stand for.
    deep = recursive or isinstance(store, fs.GcsFileSystem)
    selector = fs.FileSelector(key, allow_not_found=True, recursive=deep)
    with told(folder):
        listed = {_entry(folder, found) for found in store.get_file_info(selector)}
    if not listed:
        info(folder)  # the bucket must be there
    start = len(folder.rstrip("/")) + 1
    listed |= {Entry(name, True) for entry in listed for name in _folders(entry.address, start)}
    below = {entry: entry.address[start:] for entry in listed}
    return sorted(e for e, name in below.items() if name and (recursive or "/" not in name))


def read(address: str) -> bytes:
    """An object's bytes.

    Raises:
      StoreError: as `info`, or there is no such object.
    """
    with open_to_read(address) as file, told(address):
        return file.read()


def open_to_read(address: str) -> pa.NativeFile:
    """Opens an object; it can seek.

    Raises:
      StoreError: as `info`, or there is no such object.
    """
    store, key = connect(address)
    with told(address):
        return store.open_input_file(key)


def open_to_write(address: str) -> pa.NativeFile:
    """Opens an object to be written as a whole: it is there once the file is closed.

    Raises:
      StoreError: as `info`.
    """
    store, key = connect(address)
    with told(address):
        return store.open_output_stream(key, compression=None)


@contextlib.contextmanager
def told(address: str) -> Iterator[None]:
    """Turns what a client raises into one message: the address, what is wrong, what to do."""
    try:
        yield
    except FileNotFoundError:
        raise StoreError(
            f"{address}: no such object, or no such bucket, in the object store."
        ) from None
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{address}: {_in_words(address, str(error))}") from None


def connect(address: str) -> tuple[fs.FileSystem, str]:
    """The store's client and `bucket/key`; a client is made once a process.

    Raises:
      StoreError: the address names no bucket, or has an empty part.
    """
    scheme, _, key = address.partition("://")
    key = key.rstrip("/")
    if not is_whole(address):
        raise StoreError(f"{address}: expected {scheme}://BUCKET/KEY without empty parts.")
    environment = tuple(os.environ.get(name) for name in _VARIABLES)
    with told(address):
        return _client(f"{scheme}://", key.partition("/")[0], environment), key


@functools.lru_cache(maxsize=32)
def _client(scheme: str, bucket: str, environment: tuple[str | None, ...]) -> fs.FileSystem:
    given = dict(zip(_VARIABLES, environment))
    if scheme == "gs://":
        host = given["STORAGE_EMULATOR_HOST"]
        options = _endpoint(host) | {"anonymous": True} if host else {}
        return fs.GcsFileSystem(retry_time_limit=dt.timedelta(seconds=_RETRY_SECONDS), **options)
    options = {"connect_timeout": _CONNECT_SECONDS, "request_timeout": _REQUEST_SECONDS}
    endpoint = endpoint_of(scheme)
    region = given["AWS_REGION"] or given["AWS_DEFAULT_REGION"]
    if endpoint:
        options |= _endpoint(endpoint)
        region = region or "us-east-1"  # what stores that are not Amazon's go by
    return fs.S3FileSystem(region=region or fs.resolve_s3_region(bucket), **options)


def endpoint_of(scheme: str) -> str | None:
    """The URL that the environment gives for a store, or None where it is the provider's own."""
    names = ("STORAGE_EMULATOR_HOST",)
    if scheme == "s3://":
        names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _endpoint(url: str) -> dict[str, str]:
    scheme, separator, host = url.rpartition("://")
    return {"scheme": scheme if separator else "http", "endpoint_override": host.rstrip("/")}


def _folders(address: str, start: int) -> Iterator[str]:
    """The folders around an address, below the one that ends before `start`."""
    parts = address[start:].split("/")
    return (address[:start] + "/".join(parts[:n]) for n in range(1, len(parts)))


def _entry(beside: str, found: fs.FileInfo) -> Entry:
    address = f"{beside.partition('://')[0]}://{found.path.rstrip('/')}"
    if found.type == fs.FileType.Directory:
        return Entry(address, True)
    return Entry(address, False, found.size, found.mtime_ns)


def _in_words(address: str, error: str) -> str:
    scheme = address[: address.index("://") + 3]
    where = endpoint_of(scheme) or "its provider's own address"
    if any(word in error for word in _REFUSED):
        what = f"the object store at {where} refuses. Check {_CREDENTIALS[scheme]}, and what they may do."
    elif any(word in error for word in _NO_BUCKET):
        what = f"the object store at {where} has no such bucket."
    elif any(word in error for word in _NO_ANSWER):
        name = "AWS_ENDPOINT_URL" if scheme == "s3://" else "STORAGE_EMULATOR_HOST"
        what = f"the object store at {where} does not answer. Check {name} and the network."
    else:
        what = "the object store failed."
    return f"{what} It said: {error[:400]}"
