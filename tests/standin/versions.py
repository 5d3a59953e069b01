"""Which versions of a model are served: watches its base path, loads new versions, unloads old ones."""

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)

from standin.errors import ServingError, from_exception, invalid, not_found
from standin.servable import Servable

Policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy
State = get_model_status_pb2.ModelVersionStatus
LARGEST_VERSION = 2**63 - 1


class Version:
    """One version folder's life.

    Attributes:
      number: the folder's name.
      content: its files when they were read.
      state: of `ModelVersionStatus.State`.
      error: why it ended, or None.
      servable: the loaded model, None before and after.
      users: requests that hold it.
    """

    def __init__(self, number: int, content: tuple):
        self.number = number
        self.content = content
        self.state = State.START
        self.error: ServingError | None = None
        self.servable: Servable | None = None
        self.users = 0

    @property
    def failed(self) -> bool:
        """Whether it could not be loaded."""
        return self.error is not None


class Model:
    """The versions of one model. `poll` is called by one thread, everything else by any."""

    def __init__(
        self,
        name: str,
        base_path: Path,
        policy: Policy | None = None,
        labels: Mapping[str, int] | None = None,
    ):
        """Loads nothing yet.

        Args:
          name: what clients call it.
          base_path: the folder of numeric version folders.
          policy: the latest one without.
          labels: version by label.
        """
        self.name = name
        self.base_path = Path(base_path)
        self._policy = policy or Policy()
        self._labels = dict(labels or {})
        self._lock = threading.Lock()
        self._versions: dict[int, Version] = {}
        self._latest: Version | None = None

    def poll(self) -> None:
        """Looks at the folder once: loads what is wanted and new, then unloads what is no longer wanted.

        A version that fails keeps its error and is tried again when its files change; until then the next older
        one stands in for it. What is served goes on while nothing that is wanted can be.
        """
        try:
            found = self._scan()
        except OSError as error:
            print(f"Could not find base path {self.base_path}: {error}", file=sys.stderr)
            return
        failed: set[int] = set()  # in this poll: whatever happens to the files, once is enough
        while True:
            wanted = self._select(
                n for n, path in found.items() if n not in failed and not self._broken(n, path)
            )
            new = [n for n in wanted if not self._is_available(n)]
            if not new:
                break
            number = max(new)
            if not self._load(number, found[number]):
                failed.add(number)
        if wanted or not self._select(found):
            for version in list(self._versions.values()):
                if version.state == State.AVAILABLE and version.number not in wanted:
                    self._unload(version)

    @contextmanager
    def use(self, number: int | None = None, label: str | None = None) -> Iterator[Version]:
        """Holds a version that is available, the latest one without a number or label.

        Raises:
          ServingError: NOT_FOUND, or INVALID_ARGUMENT for an unknown label.
        """
        number = self._number(number, label)
        with self._lock:
            version = self._latest if number is None else self._versions.get(number)
            if version is None or version.state != State.AVAILABLE:
                raise servable_not_found(self.name, number)
            version.users += 1
        try:
            yield version
        finally:
            with self._lock:
                version.users -= 1
                self._end_if_unused(version)

    def statuses(self, number: int | None = None, label: str | None = None) -> list[State]:
        """The state of one version or of all, newest first.

        Raises:
          ServingError: NOT_FOUND, or INVALID_ARGUMENT for an unknown label.
        """
        number = self._number(number, label)
        with self._lock:
            versions = [
                version
                for key, version in sorted(self._versions.items(), reverse=True)
                if number in (None, key)
            ]
            if not versions and number is not None:
                raise not_found(f"Could not find version {number} of model {self.name}")
            if not versions:
                raise not_found(f"Could not find any versions of model {self.name}")
            return [_status(version) for version in versions]

    def close(self) -> None:
        """Unloads everything."""
        for version in list(self._versions.values()):
            if version.state == State.AVAILABLE:
                self._unload(version)

    def _number(self, number: int | None, label: str | None) -> int | None:
        if label is None:
            return number
        if label not in self._labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return self._labels[label]

    def _scan(self) -> dict[int, Path]:
        """The numeric folders; `.push-1` and the like are none."""
        numbered = (p for p in self.base_path.iterdir() if p.name.isascii() and p.name.isdigit())
        return {
            int(path.name): path
            for path in sorted(numbered)
            if int(path.name) <= LARGEST_VERSION and path.is_dir()
        }

    def _select(self, numbers: Iterable[int]) -> list[int]:
        numbers = sorted(numbers, reverse=True)
        kind = self._policy.WhichOneof("policy_choice")
        if kind == "all":
            return numbers
        if kind == "specific":
            return [number for number in numbers if number in self._policy.specific.versions]
        return numbers[: self._policy.latest.num_versions or 1]

    def _broken(self, number: int, path: Path) -> bool:
        version = self._versions.get(number)
        return version is not None and version.failed and version.content == _content(path)

    def _is_available(self, number: int) -> bool:
        version = self._versions.get(number)
        return version is not None and version.state == State.AVAILABLE

    def _load(self, number: int, path: Path) -> bool:
        version = Version(number, _content(path))
        with self._lock:
            self._versions[number] = version
        version.state = State.LOADING
        try:
            servable = Servable(path)
        except Exception as error:  # TensorFlow raises nearly anything for a broken folder
            version.error = from_exception(error)
            version.state = State.END
            print(f"Loading {self.name} version {number} failed: {version.error}", file=sys.stderr)
            return False
        with self._lock:
            version.servable = servable
            version.state = State.AVAILABLE
            self._choose_latest()
        return True

    def _unload(self, version: Version) -> None:
        with self._lock:
            version.state = State.UNLOADING
            self._choose_latest()
            self._end_if_unused(version)

    def _choose_latest(self) -> None:
        available = [n for n, v in self._versions.items() if v.state == State.AVAILABLE]
        self._latest = self._versions[max(available)] if available else None

    def _end_if_unused(self, version: Version) -> None:
        if version.state == State.UNLOADING and not version.users:
            version.servable = None
            version.state = State.END


def servable_not_found(name: str, number: int | None = None) -> ServingError:
    """What the server says of a model or version that it does not serve."""
    request = f"Latest({name})" if number is None else f"Specific({name}, {number})"
    return not_found(f"Servable not found for request: {request}")


def _content(folder: Path) -> tuple:
    """A folder's files with size and time of change: whether a broken one is worth another try."""
    found = []
    for parent, _, names in os.walk(folder):  # a folder that is being removed is no error to it
        for name in names:
            path = os.path.join(parent, name)
            try:
                stat = os.stat(path)
            except OSError:  # it went while we looked
                continue
            found.append((path, stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(found))


def _status(version: Version) -> State:
    status = State(version=version.number, state=version.state)
    status.status.SetInParent()  # OK is said too
    if version.error is not None:
        status.status.error_code = version.error.code.value[0]
        status.status.error_message = version.error.message
    return status
