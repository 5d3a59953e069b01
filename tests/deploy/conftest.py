"""Readers of the manifests, and the schemas that they are checked against."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVING = ROOT / "deploy" / "serving"
DATA = Path(__file__).parent / "data"


def load(path: Path) -> Any:
    """The document of a JSON file, or of a YAML file that has one."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def env_file() -> dict[str, str]:
    """The settings in compose's .env."""
    lines = (SERVING / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated(value: Any, settings: dict[str, str]) -> Any:
    """A compose document with `${NAME:-default}` replaced, as compose does."""
    if isinstance(value, dict):
        return {key: interpolated(item, settings) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, settings) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: settings.get(m[1]) or m[2], value)
    return value


def merged(base: Any, over: Any) -> Any:
    """`over` laid on `base`: maps by key, lists of named maps by name, all else replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys()}
        return base | over | both
    if isinstance(base, list) and isinstance(over, list) and all_named(base + over):
        named = {item["name"]: item for item in base}
        for item in over:
            named[item["name"]] = merged(named.get(item["name"], {}), item)
        return list(named.values())
    return over


def all_named(items: list[Any]) -> bool:
    return all(isinstance(item, dict) and "name" in item for item in items)


@pytest.fixture(scope="session")
def serving() -> Path:
    return SERVING


@pytest.fixture(scope="session")
def read():
    """Reads a file below deploy/serving."""
    return lambda name: load(SERVING / name)


@pytest.fixture(scope="session")
def errors():
    """What a schema of data/ says against a document: messages, none where it is right."""

    def check(document: Any, schema: str) -> list[str]:
        validator = jsonschema.Draft201909Validator(load(DATA / schema))
        return [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(document)]

    return check


@pytest.fixture(scope="session")
def changed():
    """A copy of a document with a value at a dotted path, or without what is there for None."""

    def change(document: Any, path: str, value: Any) -> Any:
        document = copy.deepcopy(document)
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place = document
        for part in parents:
            place = place[part]
        if value is None:
            del place[last]
        else:
            place[last] = value
        return document

    return change


@pytest.fixture(scope="session")
def listed():
    """The lines of a list in data/, without comments."""

    def lines(name: str) -> list[str]:
        text = (DATA / name).read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    return lines


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """compose.yaml, as it is with the settings of .env."""
    return interpolated(load(SERVING / "compose.yaml"), env_file())


@pytest.fixture(scope="session")
def batching() -> dict[str, Any]:
    """compose.yaml with compose.batching.yaml laid on it."""
    base, over = load(SERVING / "compose.yaml"), load(SERVING / "compose.batching.yaml")
    return interpolated(merged(base, over), env_file())


@pytest.fixture(scope="session")
def kubernetes() -> dict[str, dict[str, Any]]:
    """The documents of kubernetes/serving.yaml by kind."""
    text = (SERVING / "kubernetes" / "serving.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.fixture(scope="session")
def gpu_deployment(kubernetes) -> dict[str, Any]:
    """The Deployment as kubernetes-gpu/ makes it: images, then patches."""
    folder = SERVING / "kubernetes-gpu"
    kustomization = load(folder / "kustomization.yaml")
    deployment = kubernetes["Deployment"]
    tags = {
        image["name"]: "@".join([image["newTag"], *filter(None, [image.get("digest")])])
        for image in kustomization["images"]
    }
    pod = {"containers": []}
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        name = container["image"].split(":")[0]
        pod["containers"].append({"name": container["name"], "image": f"{name}:{tags[name]}"})
    deployment = merged(deployment, {"spec": {"template": {"spec": pod}}})
    for patch in kustomization["patches"]:
        deployment = merged(deployment, load(folder / patch["path"]))
    return deployment
