"""The documents: their commands run, and what they name exists.

A ```bash block is run as it stands, in a new folder with links to the checkout's files. A comment on the
line before it says otherwise: `<!-- test: e2e -->` runs it among the long tests, `<!-- test: data NAME -->`
does too, shortened and only where ../shared/data/NAME is, and `<!-- test: skip REASON -->` never runs it.
"""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from crowdflow.config import Config, field_names, presets
from crowdflow.pipeline import cli
from crowdflow.pipeline.cli import beam_presets
from crowdflow.pipeline.local.root import Root

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "CONTRIBUTING.md", "schema/README.md", "docs/*.md")
    for path in ROOT.glob(pattern)
)
RUN, E2E, DATA, SKIP = "run", "e2e", "data", "skip"
MARKER = re.compile(r"<!-- test: (?:(e2e)|(data) (\w+)|(skip) (\S.*\S)) -->")
MOST_SKIPPED = 4

MAKE = 'make() { echo "make $*"; }\n'  # its targets are checked apart
SHORT = """crowdflow() {
  if [[ $1 == run ]]; then
    command crowdflow "$@" --set training.epochs=1 --set training.final_epochs=1 || [[ $? == 2 ]]
  else
    command crowdflow "$@"
  fi
}
"""

# The first part of a path that a run or a reader makes; every other path must be in the checkout.
MADE = {"runs", "assets.extra"}.union(
    *(path.relative_to(Root("").path).parts[:1] for path in vars(Root("")).values())
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A bash block: the line of its fence, its text, how it is tested, and the data or the reason."""

    line: int
    script: str
    mode: str = RUN
    detail: str = ""


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def bash_blocks(text: str) -> list[Block]:
    """A document's bash blocks; ValueError where a fence or a marker is not as it must be."""
    blocks, fence, marker = [], None, None
    for number, line in enumerate(text.splitlines(), start=1):
        if fence is not None:
            if line == "```":
                if fence.mode is not None:
                    blocks.append(fence)
                fence = None
            else:
                fence = dataclasses.replace(fence, script=f"{fence.script}{line}\n")
        elif line.startswith("```"):
            language = line[3:]
            if language in ("sh", "shell", "console") or (marker and language != "bash"):
                raise ValueError(f"line {number}: expected a ```bash block, received {line!r}")
            mode, detail = marker or (RUN, "")
            fence = Block(number, "", mode if language == "bash" else None, detail)
            marker = None
        elif marker:
            raise ValueError(f"line {number}: expected a bash block right after the marker")
        elif "<!-- test" in line:
            match = MARKER.fullmatch(line)
            if not match:
                raise ValueError(f"line {number}: not a marker: {line!r}")
            mode, detail = [group for group in match.groups() if group] + [""] * bool(match[1])
            marker = (mode, detail)
    if fence is not None or marker:
        raise ValueError("the last block is not closed, or a marker has none")
    return blocks


def commands(document: str) -> list[str]:
    """Every crowdflow and make command of a document: in bash blocks, code spans and indented code."""
    text = read(document)
    lines = [
        line.strip()
        for block in bash_blocks(text)
        for line in block.script.replace("\\\n", " ").splitlines()
    ]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    ")]
    found = [*lines, *spans(text)]
    return [c for c in found if re.match(r"(\.venv/bin/)?(crowdflow|make)( |$)", c)]


def spans(text: str) -> list[str]:
    """The code spans outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))


def with_blocks(*modes: str) -> list[str]:
    return [d for d in DOCUMENTS if {b.mode for b in bash_blocks(read(d))} & set(modes)]


def run_blocks(document: str, modes: set[str], folder: Path) -> None:
    """Runs a document's blocks of some modes in order, in one folder; each line must succeed."""
    checkout = folder / "checkout"
    checkout.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("runs", ".git"):
            (checkout / path.name).symlink_to(path)
    (folder / "shared").symlink_to(ROOT.parent / "shared")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in bash_blocks(read(document)):
        if block.mode in modes:
            script = MAKE + (SHORT if block.mode == DATA else "") + block.script
            done = subprocess.run(
                ["bash", "-euxo", "pipefail", "-c", script],
                cwd=checkout,
                env=os.environ | {"PATH": path},
                capture_output=True,
                text=True,
            )
            output = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            assert done.returncode == 0, f"{document}, line {block.line}:\n{output}"


@pytest.mark.parametrize("document", with_blocks(RUN))
def test_commands_run(document, tmp_path):
    run_blocks(document, {RUN}, tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("document", with_blocks(E2E))
def test_long_commands_run(document, tmp_path):
    run_blocks(document, {RUN, E2E}, tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("document", with_blocks(DATA))
def test_commands_on_shared_data_run(document, tmp_path):
    for block in bash_blocks(read(document)):
        folder = ROOT.parent / "shared" / "data" / block.detail
        if block.mode == DATA and not folder.is_dir():
            pytest.skip(f"{document}, line {block.line}: no ../shared/data/{block.detail}")
    run_blocks(document, {RUN, DATA}, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_few_blocks_are_skipped(document):
    skipped = [block for block in bash_blocks(read(document)) if block.mode == SKIP]
    assert len(skipped) <= MOST_SKIPPED


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_options_presets_and_targets_exist(document):
    targets = set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.MULTILINE))
    for text in commands(document):
        program, *words = shlex.split(text, comments=True)
        words = words[: words.index("--")] if "--" in words else words
        if program == "make":
            wanted = [word for word in words if "=" not in word]
            assert set(wanted) <= targets, text
        elif words:
            options = {"--help", "-h", "--version"}
            if not words[0].startswith("-"):
                assert words[0] in cli.main.commands, text
                command = cli.main.commands[words[0]]
                options |= {option for parameter in command.params for option in parameter.opts}
            given = {word.split("=")[0] for word in words if word.startswith("-")}
            assert given <= options, text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_options_and_settings_that_are_mentioned_exist(document):
    text = read(document)
    code = [*spans(text), *(block.script for block in bash_blocks(text))]
    known = {o for c in cli.main.commands.values() for p in c.params for o in p.opts} | {"--help"}
    known |= {o.split("=")[0] for preset in beam_presets.PRESETS.values() for o in preset.options}
    for span in spans(text):
        if span.startswith("--") and not span.startswith("-- "):
            assert span.split()[0].split("=")[0] in known, span
    for found in re.findall(r"--(?:preset|show)[ =]([a-z][\w-]*)", "\n".join(code)):
        assert found in presets.names()
    for found in re.findall(r"--set ([\w.]+)=", "\n".join(code)):
        assert found in field_names()
    sections = [name for name, value in Config().to_dict().items() if isinstance(value, dict)]
    dotted = rf"(?<![\w./])(?:{'|'.join(sections)})\.[a-z][\w.]*\b"
    for found in re.findall(dotted, "\n".join(spans(text))):
        assert found in field_names() or (ROOT / "schema" / found).is_file(), found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_paths_exist(document):
    text, folder = read(document), (ROOT / document).parent
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text):
        path, _, anchor = "".join(target).partition("#")
        if not re.match(r"[a-z]+:", path):
            file = (folder / path).resolve() if path else ROOT / document
            assert file.exists(), f"{document}: no {path}"
            assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target
    for span in spans(text):
        if re.fullmatch(r"[a-z.][\w.*-]*(/[\w.*<>-]*)+", span):  # neither a date nor a column
            here = [*ROOT.glob(span.rstrip("/")), *folder.glob(span.rstrip("/"))]
            assert here or span.split("/")[0] in MADE, f"{document}: no {span}"


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_names_every_preset_and_command():
    text = read("README.md")
    assert [name for name in presets.names() if f"`{name}`" not in text] == []
    assert [name for name in cli.main.commands if f"`crowdflow {name}" not in text] == []


@pytest.mark.parametrize("document", ["docs/architecture.svg", "docs/architecture.md"])
def test_architecture_shows_every_node(document):
    from crowdflow.pipeline.pipeline import create_pipeline

    config = Config().replace({"evaluation.infra_validator": "docker"})
    made = create_pipeline(
        name="n", root="/r", config=config, data=["d"], serving_folder="/s", checkpoints="/c"
    )
    nodes = [node.id for node in made.components]
    assert len(nodes) >= 13
    assert [name for name in nodes if name not in read(document)] == []


SAMPLE = """
<!-- a comment -->
```
plain
```
```bash
ls \\
  -a
```
<!-- test: data bikenyc -->
```bash
crowdflow run
```
<!-- test: skip it asks for a password -->
```bash
sudo true
```
<!-- test: e2e -->
```bash
make run
```
"""


def test_parser_reads_a_sample():
    assert bash_blocks(SAMPLE) == [
        Block(6, "ls \\\n  -a\n"),
        Block(11, "crowdflow run\n", DATA, "bikenyc"),
        Block(15, "sudo true\n", SKIP, "it asks for a password"),
        Block(19, "make run\n", E2E),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```bash\nls\n",
        "```sh\nls\n```\n",
        "<!-- test: skip -->\n```bash\nls\n```\n",
        "<!-- test: later -->\n```bash\nls\n```\n",
        "<!-- test: e2e -->\n\n```bash\nls\n```\n",
        "<!-- test: e2e -->\n```yaml\na: 1\n```\n",
        "<!-- test: e2e -->\n",
        "text <!-- test: e2e -->\n```bash\nls\n```\n",
    ],
)
def test_parser_refuses(text):
    with pytest.raises(ValueError, match="line|last block"):
        bash_blocks(text)
