"""The `crowdflow` command, as a user meets it before anything runs."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from crowdflow.config import Config, field_names, presets
from crowdflow.ingest.sources import inspect_sources
from crowdflow.pipeline.cli import main

COMMAND = Path(sys.executable).with_name("crowdflow")
COMMANDS = tuple(main.commands)
HEAVY = """tensorflow tfx keras apache_beam pandas pyarrow h5py scipy matplotlib tzfpy pytz
    kfp grpc requests""".split()


@pytest.fixture
def crowdflow(tmp_path):
    """Runs the command in an empty folder."""

    def call(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=tmp_path
        )

    return call


@pytest.fixture
def refused(crowdflow):
    """Calls a command that must end with one error, exit code 1 and no traceback; gives the message."""

    def call(*arguments: object) -> str:
        done = crowdflow(*arguments)
        output = done.stdout + done.stderr
        assert done.returncode == 1, output
        assert "Traceback" not in output
        assert output.count("Error: ") == 1
        return output[output.index("Error: ") :].strip()

    return call


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_teaches(crowdflow, command):
    done = crowdflow(*command.split(), "--help")
    assert done.returncode == 0
    assert "  crowdflow " in done.stdout  # an example, on a line of its own
    for name in COMMANDS if not command else ():
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([name, "--help"] for name in COMMANDS), ["presets"], ["presets", "--fields"]],
    ids=" ".join,
)
def test_small_commands_import_nothing_heavy(arguments):
    """The interpreter and NumPy: a tenth of the time that TensorFlow takes to import."""
    script = (
        "import sys\n"
        "from crowdflow.pipeline.cli import main\n"
        f"sys.argv = ['crowdflow', *{arguments!r}]\n"
        "try:\n    main()\n"
        "finally:\n    print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0
    assert "crowdflow.pipeline.cli" in done.stderr
    imported = {name.split(".")[0] for name in done.stderr.split()}
    assert not imported & set(HEAVY)


def test_presets_are_listed_with_their_descriptions(crowdflow):
    lines = crowdflow("presets").stdout.splitlines()
    assert [line.split()[0] for line in lines] == presets.names()
    assert {"tiny-city", "bikenyc", "bikenyc-paper", "taxibj"} <= set(presets.names())
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("name", presets.names())
def test_a_shown_preset_is_a_configuration_file(crowdflow, refused, tmp_path, name):
    text = crowdflow("presets", "--show", name).stdout
    assert Config.from_dict(yaml.safe_load(text)) == presets.load(name)
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    output = refused("run", "--config", mine, "--root", tmp_path / "root", "--data", "none.h5")
    assert f"{tmp_path / 'none.h5'}: no such file" in output
    summary = json.loads((tmp_path / "root" / "summary.json").read_text())
    expected = presets.load(name).to_dict()
    expected["paths"] |= {"root": str(tmp_path / "root"), "data": ["none.h5"]}
    assert summary["config"] == expected


def test_every_field_is_listed_with_its_default(crowdflow):
    lines = crowdflow("presets", "--fields").stdout.splitlines()
    assert [line.split(" = ")[0] for line in lines] == field_names()
    for line in ("training.epochs = 0", "training.final_epochs = 18", "seed = 1"):
        assert line in lines


def test_settings_and_more_paths_reach_the_configuration(refused, tmp_path):
    refused(
        "run", "--preset=tiny-city", "--data", "a.h5", "b.h5",
        "--set", "seed=7", "--set", "training.learning_rate=3e-4",
        "--set", "split.test_days=null", "--set", "split.test_start=2024-05-01",
        "--", "--direct_num_workers=2",
    )  # fmt: skip
    summary = json.loads((tmp_path / "runs" / "tiny-city" / "summary.json").read_text())
    config = summary["config"]
    expected = {"root": "runs/tiny-city", "data": ["a.h5", "b.h5"], "serving": None}
    assert config["paths"] == expected
    assert (config["seed"], summary["seed"]) == (7, 7)
    assert config["training"]["learning_rate"] == 3e-4
    assert (config["split"]["test_days"], config["split"]["test_start"]) == (None, "2024-05-01")
    assert summary["nodes"] == []
    assert (summary["blessed"], summary["pushed_model"], summary["report"]) == (False, None, None)
    assert summary["reasons"] == [f"{tmp_path / 'a.h5'}: no such file or folder."]


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["--set", "training.epoch=3"], "Did you mean training.epochs"),
        (["--set", "training.epochs=many"], "training.epochs: expected a value of type int"),
        (["--set", "training.epochs=-1"], "training.epochs: expected 0 or more. Received: -1"),
        (["--set", "seed"], "--set: expected KEY=VALUE, such as seed=7. Received: 'seed'"),
        (["--set", "seed=[1"], "seed: expected a value of type int. Received: '[1'"),
        (["--preset", "nowhere"], f"expected one of {', '.join(presets.names())}. Received"),
        (["--preset", "bikenyc"], "preset bikenyc: expected --data PATH"),
        (["--config", "none.yaml"], "none.yaml: expected a saved configuration. No such file"),
        (["--config", "."], ".: expected a saved configuration. Is a directory"),
        (["--nonsense"], "No such option"),
        (["--data", "*.h5"], "*.h5: no such file or folder"),
        (["--root", "/dev/null"], "/dev/null"),
        (["--root", "s3://city/root"], "paths.root: expected a folder on this machine. Received"),
        (
            ["--serving", "hdfs://city"],
            "paths.serving: expected a folder on this machine, or s3://",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_run_refuses_is_one_message(refused, arguments, output):
    assert output in refused("run", *arguments)


def test_a_configuration_that_is_no_text(refused, tmp_path):
    (tmp_path / "flows.parquet").write_bytes(b"PAR1\x80\x81")
    output = refused("run", "--config", "flows.parquet")
    assert output.startswith("Error: flows.parquet: expected YAML or JSON.")


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["--nonsense"], ["presets", "--show", "nowhere"],
                  ["simulate"], ["simulate", "out", "--rows", "0"], ["clean", "--root", "none"],
                  ["ingest", "--out", "out"], ["ingest", "--data", "none.csv", "--out", "out"],
                  ["grid"], ["grid", "--data", "none.csv"]],
    ids=" ".join,
)  # fmt: skip
def test_no_error_has_the_exit_code_of_a_refused_model(refused, arguments):
    assert refused(*arguments)


def path_parameters() -> list[tuple[str, str]]:
    """Every option and argument that is a path: its command, and its name there."""
    paths = [
        (name, parameter)
        for name, command in main.commands.items()
        for parameter in command.params
        if isinstance(parameter.type, click.Path)
    ]
    return [
        (name, p.human_readable_name if isinstance(p, click.Argument) else p.opts[0])
        for name, p in paths
    ]


# What a command needs besides the path that is tried; an argument comes first.
NEEDED = {
    "ingest": ["--data", "none.csv", "--out", "out"],
    "predict": ["--model", "none"],
    "batch": ["--model", "none", "--out", "out"],
    "simulate": ["out"],
    "grid": ["--data", "none.csv"],
    "compile": ["--target", "kubeflow", "--output", "pipeline.yaml"],
    "submit": ["pipeline.yaml", "--endpoint", "http://localhost:1"],
    "clean": ["--root", "none"],
}


@pytest.mark.parametrize(("command", "name"), path_parameters())
def test_an_address_where_only_a_local_path_works_is_refused_by_name(
    refused, tmp_path, command, name
):
    address = "s3://bucket/folder/file.yaml"
    if name.startswith("--"):
        given = [*NEEDED.get(command, []), name, address]
    else:
        given = [address, *NEEDED[command][1:]]
    expected = f"Error: {name}: expected a path on this machine. Received: {address}"
    assert refused(command, *given) == expected
    assert not list(tmp_path.iterdir())  # such as a folder "s3:"


def test_a_simulated_folder_is_data_as_the_help_says(crowdflow, tmp_path):
    done = crowdflow("simulate", "city", "--rows", 3, "--cols", 4, "--days", 8, "--seed", 2)
    assert done.returncode == 0
    written = [line for line in done.stdout.splitlines() if line.startswith("city/")]
    assert written and all((tmp_path / path).is_file() for path in written)
    config = presets.load("tiny-city").replace({"grid.rows": 3, "grid.cols": 4})
    kinds = {source.kind for source in inspect_sources([str(tmp_path / "city")], config)}
    assert kinds == {"table_parquet", "weather_hdf5", "holidays"}
