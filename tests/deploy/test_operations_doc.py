"""The requests, settings and files in docs/operations.md, checked without a server."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text("utf-8")
SERVING = TEXT[TEXT.index("\n## Serving\n") :]
DIMS = {"closeness": (-1, 3, 4, 5, 2), "period": (-1, 1, 4, 5, 2), "target_time": (-1,)}


def test_request_of_the_docs_has_the_models_shapes(tmp_path):
    (script,) = re.findall(r"<<'END'\n(.*?)^END$", TEXT, re.MULTILINE | re.DOTALL)
    inputs = {
        name: {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": str(n)} for n in dims]}}
        for name, dims in DIMS.items()
    }
    signatures = {"serving_default": {"inputs": inputs}, "serving_examples": {"inputs": {}}}
    metadata = {"metadata": {"signature_def": {"signature_def": signatures}}}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    done = subprocess.run(
        [sys.executable, "-"],
        input=script,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    request = json.loads(done.stdout)
    shapes = {}
    for name, value in request["inputs"].items():
        shapes[name] = ()
        while isinstance(value, list):
            shapes[name] += (len(value),)
            value = value[0]
        assert value == 0
    assert shapes == {name: (1, *dims[1:]) for name, dims in DIMS.items()}


def test_settings_of_the_docs_are_the_ones_in_the_env_file(serving):
    lines = (serving / ".env").read_text(encoding="utf-8").splitlines()
    settings = {line.split("=")[0] for line in lines if not line.startswith("#")}
    named = set(re.findall(r"\b(?:CROWDFLOW_[A-Z]+|COMPOSE_PROFILES)\b", SERVING))
    assert named == settings - {"COMPOSE_PROJECT_NAME"}
    compose = (serving / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)", compose)) == settings - {
        "COMPOSE_PROJECT_NAME",
        "COMPOSE_PROFILES",
    }


def test_files_of_the_docs_are_all_of_them(serving):
    table = TEXT[TEXT.index("| file in") : TEXT.index("### On one machine")]
    named = {
        n for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for n in re.findall("`(.*?)`", row)
    }
    assert named == {path.name for path in serving.iterdir()}


def test_pin_of_the_docs_is_the_configs():
    (line,) = re.findall(r"^    (model_version_policy .*)$", TEXT, re.MULTILINE)
    config = Path(__file__).resolve().parents[2] / "deploy" / "serving" / "config" / "models.config"
    assert f"#   {line}\n" in config.read_text(encoding="utf-8")


def texts_of(path: Path) -> list[str]:
    """A module's texts; the values in them are three dots."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (getattr(part, "value", "") for part in node.values)
            found.append("".join(part if isinstance(part, str) else "..." for part in parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def test_messages_of_the_docs_are_the_code_s():
    section = TEXT[TEXT.index("**In the step's words**") : TEXT.index("**No error, but")]
    rows = re.findall(r"^\| \w[^:`]*: `(.*?)`", section, re.MULTILINE)
    ours = [row for row in rows if "Error: " not in row and "Errno" not in row]
    known = [text for folder in ROOT.glob("*/__init__.py") for text in texts_in(folder.parent)]
    parts = {part.strip(" :'.") for row in ours for part in row.split("...")}
    missing = [p for p in parts if len(p) > 12 and not any(p in text for text in known)]
    assert len(ours) > 10 and missing == []


def texts_in(folder: Path) -> list[str]:
    return [text for path in folder.rglob("*.py") for text in texts_of(path)]
