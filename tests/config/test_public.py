"""Values that may be secret: kept in a configuration, and hidden where it is shown or saved with a run."""

import json

import pytest
import yaml
from click.testing import CliRunner

from crowdflow.config import Config
from crowdflow.pipeline.beam_args import check_beam_args
from crowdflow.pipeline.cli import main
from crowdflow.schema.errors import ConfigError

SECRET = "s3cr3t"
SETTINGS = {
    "kubeflow.environment": [f"AWS_SECRET_ACCESS_KEY={SECRET}", f"PASS={SECRET}=x\ny"],
    "kubeflow.secrets": ["AWS_ACCESS_KEY_ID=city/key"],
    "beam.all": ["--runner=FlinkRunner", f"--s3_secret_access_key={SECRET}"],
    "beam.nodes.WindowGen": [f"--azure_connection_string={SECRET}"],
}


def test_the_public_copy_has_names_alone():
    config = Config().replace(SETTINGS)
    public = config.public()
    assert SECRET not in json.dumps(public.to_dict())
    assert public.kubeflow.environment == ("AWS_SECRET_ACCESS_KEY=***", "PASS=***")
    assert public.kubeflow.secrets == config.kubeflow.secrets
    assert public.beam.all == ("--runner=FlinkRunner", "--s3_secret_access_key=***")
    assert public.beam.nodes.WindowGen == ("--azure_connection_string=***",)
    assert config.kubeflow.variables()["AWS_SECRET_ACCESS_KEY"] == SECRET
    others = {
        name: value for name, value in config.to_dict().items() if name not in ("kubeflow", "beam")
    }
    assert {name: public.to_dict()[name] for name in others} == others


def test_a_saved_public_copy_is_read_but_its_hidden_values_are_not_used(tmp_path):
    config = Config().replace(SETTINGS).public()
    config.save(tmp_path / "config.yaml")
    assert Config.load(tmp_path / "config.yaml") == config
    with pytest.raises(ConfigError, match="kubeflow.environment: expected a value of AWS_SEC"):
        config.kubeflow.variables()
    with pytest.raises(ConfigError, match="Beam option --s3_secret_access_key: expected a value"):
        check_beam_args(config, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kubeflow.environment", [f"AWS-KEY={SECRET}"]),
        ("kubeflow.environment", [SECRET]),
        ("kubeflow.environment", f"AWS_KEY={SECRET}"),
        ("kubeflow.environment", {"AWS_KEY": SECRET}),
        ("kubeflow.environment", [{"AWS_KEY": SECRET}]),
        ("kubeflow.secrets", [f"AWS_SECRET_ACCESS_KEY={SECRET}/+"]),
        ("paths.data", [f"s3://user:{SECRET}@city/trips"]),
        ("paths.data", [f"https://user:{SECRET}@city/trips"]),
        ("paths.serving", f"s3://user:{SECRET}@city/serving"),
        ("paths.serving", f"http://user:{SECRET}@city/serving"),
        ("paths.root", f"s3://user:{SECRET}@city/root"),
        ("kubeflow.serving_folder", f"gs://user:{SECRET}@city/serving"),
        ("kubeflow.checkpoints", f"s3://AKIA:a/{SECRET}@city/checkpoints"),
    ],
)
def test_a_value_that_is_refused_is_not_shown(name, value, tmp_path):
    with pytest.raises(ConfigError, match=name) as raised:
        Config().replace({name: value})
    assert SECRET not in str(raised.value)
    done = CliRunner().invoke(main, ["run", "--set", f"{name}={json.dumps(value)}"])
    assert done.exit_code == 1 and SECRET not in done.output, done.output
    section, field = name.split(".")
    for text in (
        yaml.safe_dump({section: {field: value}}),
        f"{section}:\n  {field}: [{json.dumps(value)}\n  other: 1\n",
        yaml.safe_dump({section: [value]}),
        f"{SECRET}\n",
        f"- {SECRET}\n",
    ):
        (tmp_path / "mine.yaml").write_text(text)
        done = CliRunner().invoke(main, ["run", "--config", str(tmp_path / "mine.yaml")])
        assert done.exit_code == 1 and done.output.startswith("Error: "), done.output
        assert SECRET not in done.output, done.output
