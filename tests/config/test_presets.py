"""The presets: their names, and that they follow the protocol and the paper."""

import pytest

from crowdflow.config import Config, presets
from crowdflow.schema.errors import ConfigError


def test_names_and_descriptions():
    assert {"tiny-city", "bikenyc", "bikenyc-paper", "taxibj"} <= set(presets.names())
    assert presets.names() == sorted(presets.names())
    assert presets.EMBEDDED in presets.names()
    for name in presets.names():
        assert presets.load(name).preset == name
        text = presets.describe(name)
        assert text.endswith(".") and "\n" not in text


def test_an_unknown_preset_is_refused_with_the_known_ones():
    for read in (presets.load, presets.describe):
        with pytest.raises(ConfigError) as raised:
            read("bikenyk")
        known = ", ".join(presets.names())
        assert str(raised.value) == f"preset: expected one of {known}. Received: 'bikenyk'."


def test_bikenyc_paper_is_the_authors_setting():
    config = presets.load("bikenyc-paper")
    assert config == Config().replace(
        {
            "preset": "bikenyc-paper",
            "grid.rows": 16,
            "grid.cols": 8,
            "intervals.minutes": 60,
            "intervals.timezone": "America/New_York",
            "ingest.max_flow": 2000.0,
            "ingest.holidays": False,
            "ingest.weather": False,
            "windows.closeness": 3,
            "windows.period": 4,
            "windows.trend": 4,
            "windows.horizon": 1,
            "windows.average": 0,
            "windows.average_days": 0,
            "split.test_days": 10,
            "split.eval_share": 0.1,
            "transform.day_of_week": True,
            "transform.time_of_day": False,
            "transform.time_of_day_type": False,
            "model.residual_units": 4,
            "model.filters": 64,
            "model.batch_norm": False,
            "model.fusion": "hadamard",
            "model.fusion_init": "uniform",
            "model.external": True,
            "model.external_units": 10,
            "model.external_relu": True,
            "model.head": "tanh",
            "model.local": False,
            "model.members": 1,
            "model.quantiles": [],
            "training.epochs": 500,
            "training.patience": 5,
            "training.final_epochs": 100,
            "training.batch_size": 32,
            "training.learning_rate": 2e-4,
            "training.final_learning_rate": None,
            "training.cell_decay": 0.0,
            "training.schedule": "constant",
            "training.precision": "float32",
        }
    )


def test_taxibj_is_the_papers_setting():
    config = presets.load("taxibj")
    assert (config.grid.rows, config.grid.cols, config.intervals.per_day) == (32, 32, 48)
    assert config.intervals.timezone == "Asia/Shanghai"
    lags = config.windows
    assert (lags.closeness, lags.period, lags.trend, lags.horizon) == (3, 1, 1, 1)
    assert config.split.test_days * config.intervals.per_day == 1344
    assert config.ingest.holidays and config.ingest.weather
    assert config.ingest.max_flow > 1292
    assert (config.model.residual_units, config.model.batch_norm) == (12, True)
    assert (config.training.patience, config.training.learning_rate) == (2, 2e-4)


@pytest.mark.parametrize("name", ["bikenyc", "bikenyc-paper"])
def test_bikenyc_presets_share_the_protocol(name):
    config = presets.load(name)
    assert (config.grid.rows, config.grid.cols, config.intervals.minutes) == (16, 8, 60)
    assert (config.split.test_days, config.split.eval_share) == (10, 0.1)
    assert not config.ingest.holidays and not config.ingest.weather


def test_the_embedded_city_is_small():
    config = presets.load(presets.EMBEDDED)
    assert config.grid.rows * config.grid.cols <= 64
    assert config.ingest.holidays and config.ingest.weather
    assert config.paths.data == ()
