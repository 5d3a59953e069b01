"""`crowdflow predict` and `batch`, as a user calls them."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from worlds.pages import read_page
from worlds.small_disk import full_disk

from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.pipeline.cli import main
from crowdflow.schema.intervals import from_datetime64, to_datetime64
from crowdflow.serving.forecaster import Forecast, table_schema
from crowdflow.serving.page import keep_frames, page_of_batch, write_page

KEYS = ["forecast_start", "step", "row", "col"]
FIRST, LAST = "2024-04-25", "2024-04-30"  # the data end on the 28th


@pytest.fixture
def crowdflow():
    def call(*arguments):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return call


@pytest.fixture
def given(pushed):
    return ["--model", pushed.serving, *(part for path in pushed.data for part in ("--data", path))]


def test_the_next_interval_as_lines_table_and_map(crowdflow, given, tmp_path):
    done = crowdflow("predict", *given, "--out", tmp_path / "a.csv", "--map", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("2024-04-29 00:00  inflow ")
    assert lines[1].startswith("2024-04-29 01:00  inflow ")
    table = pd.read_csv(tmp_path / "a.csv", parse_dates=["forecast_start", "interval_start"])
    assert len(table) == 2 * 5 * 4 and (table["inflow"] >= 0).all()
    total = table.loc[table["step"] == 1, "inflow"].sum()
    assert f"inflow {total:,.1f}," in lines[0]
    assert (tmp_path / "a.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.png"]


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_a_server_gives_the_same_table(kind, crowdflow, given, address, tmp_path):
    range_ = ("--from", FIRST, "--to", LAST)
    done = crowdflow("predict", *given, *range_, "--out", tmp_path / "folder.parquet")
    assert done.exit_code == 0, done.output
    [left_out] = re.findall(
        r"left out (\d+) of 144 forecasts for a missing interval: 2024-", done.output
    )
    asked = ["--model", address(kind), *given[2:]]
    crowdflow("predict", *asked, *range_, "--out", tmp_path / "server.parquet")
    found, expected = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in ("server", "folder"))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-3)
    assert expected["forecast_start"].nunique() == 144 - int(left_out)
    assert 47 < int(left_out) < 72  # two days but an interval are not known yet, and there are gaps


def test_a_batch_is_the_same_table(crowdflow, given, tmp_path):
    range_ = ("--from", FIRST, "--to", LAST)
    crowdflow("predict", *given, *range_, "--out", tmp_path / "a.parquet")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "forecasts-00007-of-00009.parquet").write_text("of an earlier call")
    done = crowdflow("batch", *given, *range_, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = pd.concat(map(pd.read_parquet, sorted((tmp_path / "out").glob("*.parquet"))))
    found, expected = (
        table.sort_values(KEYS, ignore_index=True)
        for table in (found, pd.read_parquet(tmp_path / "a.parquet"))
    )
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-3)
    counters = json.loads((tmp_path / "out" / "counters.json").read_text())
    assert counters["forecasts"] == expected["forecast_start"].nunique()
    assert sum(counters["left_out"].values()) == 144 - counters["forecasts"]
    assert counters["frames"]["frames"] == 28 * 24 - 12
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["counters.json", "forecasts-00000-of-00001.parquet"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--at", "2024-04-03 08:00"],
            r"Forecast of 2024-04-03 08:00: expected a frame at 2024-04-0\d",
        ),
        (["--at", "2024-04-20 08:30"], "expected the start of a 60-minute interval"),
        (["--at", "yesterday"], "Expected a local time such as '2014-09-21 08:00'"),
        (["--at", "2024-04-20 08:00+02:00"], "Expected a local time"),
        (["--from", "2024-04-28", "--to", "2024-04-27"], "Expected --from before --to"),
        (
            ["--from", "2024-05-20", "--to", "2024-05-21"],
            "No forecast can be made: left out 48 of 48",
        ),
        (["--at", "2024-04-20", "--from", "2024-04-20"], "expected no --from or --to"),
        (["--out", "table.xlsx"], "expected a name that ends in .csv or .parquet"),
        (["--map", "map.gif"], "expected a name that ends in .png"),
        (["--page", "page.pdf"], "expected a name that ends in .html"),
    ],
)
def test_what_cannot_be_forecast_is_one_message(arguments, said, crowdflow, given):
    done = crowdflow("predict", *given, *arguments)
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert re.search(said, done.output), done.output
    assert done.output.count("Error: ") == 1


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [("predict", "--out", "a.csv"), ("predict", "--out", "a.parquet"), ("predict", "--map", "a.png"),
     ("predict", "--page", "a.html"), ("batch", "--out", "out")],
)  # fmt: skip
def test_a_full_disk_is_one_message(command, option, name, crowdflow, given, tmp_path):
    with full_disk(tmp_path / "full") as full:
        done = crowdflow(command, *given, option, full / name)
    assert done.exit_code == 1, done.output
    assert done.output.splitlines()[-1] == (
        f"Error: {full / name}: its disk is full. Make room, then repeat the command."
    )


def test_settings_of_how_files_are_read(crowdflow, given, tmp_path):
    dirty = tmp_path / "more.csv"
    dirty.write_text("interval_start,row,col,inflow,outflow\n2024-04-28 08:00,0,0,-1,1\n")
    refused = crowdflow("predict", *given, "--data", dirty)
    assert refused.exit_code == 1 and "ingest.max_reject_share = 0" in refused.output
    allowed = ("--data", dirty, "--set", "ingest.max_reject_share=0.5")
    assert crowdflow("predict", *given, *allowed).exit_code == 0
    range_ = ("--from", FIRST, "--to", FIRST, "--out", tmp_path / "out")
    assert "more.csv, line 2" in crowdflow("batch", *given, "--data", dirty, *range_).output
    done = crowdflow("batch", *given, *allowed, *range_)
    assert done.exit_code == 0, done.output
    for command in (("predict",), ("batch", "--out", tmp_path / "out")):
        done = crowdflow(*command, *given, "--set", "grid.rows=9")
        assert done.exit_code == 1 and "grid.rows: expected the model's own value" in done.output


def test_a_page_has_the_tables_numbers(crowdflow, given, pushed, history, tmp_path):
    range_ = ("--from", FIRST, "--to", LAST)
    table, page, whole = (tmp_path / name for name in ("a.parquet", "a.html", "batch.html"))
    done = crowdflow("predict", *given, *range_, "--out", table, "--page", page)
    assert done.exit_code == 0 and f"wrote {page}" in done.output, done.output
    done = crowdflow("batch", *given, *range_, "--out", tmp_path / "out", "--page", whole)
    assert done.exit_code == 0 and f"wrote {whole}" in done.output, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "counters.json",
        "forecasts-00000-of-00001.parquet",
    ]
    forecasts = pd.read_parquet(table).sort_values(KEYS)
    newest = forecasts.sort_values("step").groupby(["interval_start", "row", "col"]).first()
    expected = {
        name: newest.sort_index()[[f"inflow{end}", f"outflow{end}"]].to_numpy().reshape(-1, 5, 4, 2)
        for name, end in (("forecast", ""), ("low", "_p10"), ("high", "_p90"))
    }
    for path in (page, whole):
        data = read_page(path.read_text())
        times = newest.index.get_level_values(0).unique().sort_values()
        assert to_datetime64(data["times"]).tolist() == times.to_pydatetime().tolist()
        assert data["percent"] == 80
        for name, flows in expected.items():
            np.testing.assert_allclose(data[name], flows, rtol=1e-4, atol=1e-3)
        kept = np.isin(history.frames.starts, data["recordTimes"])
        np.testing.assert_allclose(data["records"], history.frames.maps[kept], rtol=2**-14)
        assert data["recordTimes"][0] == data["times"][0] - 7 * 1440
        assert data["box"] is None and data["minutes"] == 60


def test_an_hour_that_daylight_saving_skips_is_not_on_the_page(tmp_path):
    config = Config().replace({"grid.rows": 1, "grid.cols": 1, "intervals.timezone": "Europe/Oslo"})
    first = from_datetime64(np.datetime64("2024-03-31T00:00"))
    starts, flows = first + np.arange(6)[None] * 60, np.ones((1, 6, 1, 1, 2), np.float32)
    frames = FrameBlock(np.array([first - 60]), np.ones((1, 1, 1, 2), np.float32))
    write_page(Forecast(starts, flows), frames, config, tmp_path / "a.html")
    data = read_page((tmp_path / "a.html").read_text())
    hours = [str(time)[11:] for time in to_datetime64(data["times"])]
    assert hours == ["00:00", "01:00", "03:00", "04:00", "05:00"]
    assert data["steps"] == [1, 2, 4, 5, 6]


@pytest.mark.parametrize(
    ("levels", "percent", "ends"),
    [((0.05, 0.1, 0.5, 0.9, 0.95), 80, (1, 3)), ((0.025, 0.5, 0.975), 95, (0, 2)), ((0.5,), 0, ())],
)
def test_a_page_has_the_band_of_a_models_quantiles(levels, percent, ends, tmp_path):
    config = Config().replace({"grid.rows": 2, "grid.cols": 3, "windows.horizon": 2})
    random, first = np.random.default_rng(2), from_datetime64(np.datetime64("2024-03-04T00:00"))
    starts = first + 60 * np.arange(30)[:, None] + [0, 60]
    flows = random.gamma(2, 4, (30, 2, 2, 3, 2)).astype(np.float32)
    quantiles = flows[..., None] * np.array(levels, np.float32) * 2
    forecast = Forecast(starts, flows, quantiles, levels)
    frames = FrameBlock(starts[:24, 0], np.ones((24, 2, 3, 2), np.float32))
    write_page(forecast, frames, config, tmp_path / "a.html")

    keep_frames(frames, str(tmp_path))
    table = forecast.table().sample(frac=1, random_state=1)
    shards = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for shard, part in zip(shards, (table[:99], table[99:])):
        pq.write_table(
            pa.Table.from_pandas(part, table_schema(levels), preserve_index=False), shard
        )
    page_of_batch(shards, tmp_path, config, levels, tmp_path / "b.html")

    assert (tmp_path / "a.html").read_text() == (tmp_path / "b.html").read_text()
    data = read_page((tmp_path / "a.html").read_text())
    assert data.get("percent", 0) == percent and len(data["times"]) == 31
    for name, end in zip(("low", "high"), ends):
        newest = np.concatenate([quantiles[:, 0], quantiles[-1:, 1]])[..., end]
        np.testing.assert_allclose(data[name], newest, rtol=2**-14)


def test_no_data_and_no_model(crowdflow, given, tmp_path):
    done = crowdflow("predict", "--model", "x")
    assert done.exit_code == 1 and "--data: expected files" in done.output
    done = crowdflow("predict", "--model", tmp_path / "none", *given[2:])
    assert done.exit_code == 1 and "expected a pushed model" in done.output
    done = crowdflow("batch", "--model", tmp_path / "none", *given[2:], "--out", tmp_path / "o")
    assert done.exit_code == 1 and "expected a pushed model" in done.output
    assert not (tmp_path / "o").exists()
