"""Options of Beam: every one is known to the Beam that is installed, and a configuration takes them."""

import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from click.testing import CliRunner

from crowdflow.config import Config
from crowdflow.pipeline.cli import main
from crowdflow.pipeline.cli.beam_presets import PRESETS, as_yaml
from crowdflow.schema.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_beam_knows_every_option(name):
    options = PRESETS[name].options
    known = PipelineOptions(list(options)).get_all_options()
    names = {option.partition("=")[0].removeprefix("--") for option in options}
    assert {*known} | {"machine_type"} >= names  # Beam's own name is worker_machine_type
    assert len(names) == len(options)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "local"])
def test_the_image_is_what_workers_run_so_that_nothing_is_staged(name):
    from tfx.utils import dependency_utils

    options = list(PRESETS[name].options)
    assert "--sdk_container_image=IMAGE" in options
    assert dependency_utils.make_beam_dependency_flags(options) == options


@pytest.mark.parametrize("name", PRESETS)
def test_a_configuration_takes_what_the_command_prints(name):
    output = CliRunner().invoke(main, ["beam", name]).output
    assert output == as_yaml(name)
    assert Config.from_dict(yaml.safe_load(output)).beam.all == PRESETS[name].options


def test_the_command_lists_them_and_says_what_it_knows():
    listed = CliRunner().invoke(main, ["beam"]).output
    for name, preset in PRESETS.items():
        assert name in listed and preset.description in listed
    with pytest.raises(ConfigError, match="expected one of local, flink.* Received: 'storm'"):
        as_yaml("storm")


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("beam.all", ["runner=FlinkRunner"]),
        ("beam.all", ["--runner FlinkRunner"]),
        ("beam.nodes.WindowGen", ["-x"]),
    ],
)
def test_what_is_no_option_is_refused(field, options):
    with pytest.raises(ConfigError, match=f"{field}: expected options such as --runner="):
        Config().replace({field: options})
    with pytest.raises(ConfigError, match="beam.nodes.Trainer: no such setting"):
        Config().replace({"beam.nodes.Trainer": ["--runner=X"]})
