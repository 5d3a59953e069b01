"""`crowdflow score` on files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crowdflow.config import Config, presets
from crowdflow.flows.map_tables import write_on_map
from crowdflow.ingest.history import read_history
from crowdflow.schema.errors import DataError
from crowdflow.schema.intervals import to_datetime64
from crowdflow.serving.forecast_files import read_forecasts
from crowdflow.serving.forecaster import Forecast
from crowdflow.serving.scoring import score_files

REAL = Path(__file__).parents[3] / "shared/data/citibike_jc"
COMMAND = Path(sys.executable).with_name("crowdflow")
CONFIG = Config().replace(
    {
        "grid.rows": 2,
        "grid.cols": 2,
        "grid.south": 40.7,
        "grid.west": -74.02,
        "grid.north": 40.76,
        "grid.east": -73.94,
        "intervals.minutes": 60,
        "intervals.timezone": "America/New_York",
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four weeks of records, a day of them missing, and forecasts of the last week: a trip too many each."""
    folder = tmp_path_factory.mktemp("score")
    starts = to_datetime64(np.arange(24 * 28) * 60 + 28_401_120)  # from 2024-01-01
    flows = np.random.default_rng(2).poisson(5, (len(starts), 2, 2, 2)).astype(np.float32)
    index = np.indices(flows.shape[:-1]).reshape(3, -1)
    records = pd.DataFrame({"interval_start": starts.astype("datetime64[ns]")[index[0]]})
    records = records.assign(row=index[1], col=index[2], inflow=flows[..., 0].reshape(-1))
    records["outflow"] = flows[..., 1].reshape(-1)
    gone = records.interval_start.dt.strftime("%Y-%m-%d") == "2024-01-24"
    records[~gone].to_csv(folder / "records.csv", index=False)
    last = starts.astype(np.int64)[-168:]
    table = Forecast(last[:, None], flows[-168:, None] + 1).table()
    table.to_parquet(folder / "forecasts.parquet", index=False)
    (folder / "config.json").write_text(json.dumps(CONFIG.to_dict()))
    return folder


def run(folder, *more):
    command = [COMMAND, "score", "--forecasts", folder / "forecasts.parquet", *map(str, more)]
    given = ["--data", folder / "records.csv", "--config", folder / "config.json"]
    return subprocess.run([*command, *given], capture_output=True, text=True)


def test_the_command_prints_and_writes_everything(folder, tmp_path):
    files = [tmp_path / "deep" / name for name in ("s.json", "s.png", "s.prom")]
    names = ["--out", "--picture", "--prometheus"]
    done = run(folder, *(part for pair in zip(names, files) for part in pair), "--max-rmse", "1.01")
    assert done.returncode == 0, done.stderr
    assert "144 steps scored, 2024-01-22 00:00 to 2024-01-28 23:00" in done.stdout
    assert "24 steps left out: no record of the interval" in done.stdout
    assert "2024-01-24: 24 forecasts without a record" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.strip().startswith("the forecasts")]
    assert line.split()[2:] == ["1.000", "1.000", "1.000"]
    found = json.loads(files[0].read_text())
    assert found["metrics"]["model"]["bias_active_cells"] == pytest.approx(1)
    assert list(found["by_day"]) == [f"2024-01-{day}" for day in (22, 23, 25, 26, 27, 28)]
    assert files[1].read_bytes()[:4] == b"\x89PNG"
    lines = files[2].read_text().splitlines()
    assert 'crowdflow_forecast_rmse{source="model"} 1' in lines
    assert "crowdflow_forecast_steps_left_out 24" in lines
    assert "# TYPE crowdflow_forecast_mae gauge" in lines
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["s.json", "s.png", "s.prom"]


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (["--max-rmse", "0.9"], "RMSE 1.0000 is above --max-rmse 0.9"),
        (["--max-ratio", "0.01"], "RMSE 1.0000 is above --max-ratio 0.01 times"),
    ],
)
def test_a_bound_has_an_exit_code(folder, bound, words):
    done = run(folder, *bound)
    assert done.returncode == 2 and words in done.stderr


@pytest.mark.parametrize("form", ["csv", "geoparquet", "folder"])
def test_every_form_is_read_alike(folder, tmp_path, form):
    table = pd.read_parquet(folder / "forecasts.parquet")
    path = tmp_path / f"made.{form}"
    if form == "csv":
        table.sample(frac=1, random_state=1).to_csv(path, index=False)
    elif form == "geoparquet":
        write_on_map([pa.Table.from_pandas(table, preserve_index=False)], CONFIG, path)
    else:
        path.mkdir()
        table[:200].to_parquet(path / "forecasts-0.parquet")
        table[200:].to_parquet(path / "forecasts-1.parquet")
        (path / "counters.json").write_text("{}")
    found = read_forecasts([str(path)], CONFIG)
    expected = read_forecasts([str(folder / "forecasts.parquet")], CONFIG)
    np.testing.assert_array_equal(found.origins, expected.origins)
    np.testing.assert_allclose(found.flows, expected.flows, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"row": 2}, "row 8: expected row within the model's 2. Received: .*row 2"),
        ({"step": 2}, "row 8: expected step within the model's 1"),
        ({"col": 0}, "row 8: expected each target, step and cell once"),
        ({"inflow": np.nan}, "row 8: expected numbers of trips"),
    ],
)
def test_bad_forecasts_are_named_by_file_and_row(folder, tmp_path, change, message):
    table = pd.read_parquet(folder / "forecasts.parquet")
    for name, value in change.items():
        table.loc[7, name] = value
    table.to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(DataError, match=f"bad.csv, {message}"):
        read_forecasts([str(tmp_path / "bad.csv")], CONFIG)


def test_other_files_are_refused(folder, tmp_path):
    with pytest.raises(
        DataError, match="records.csv: expected a table of forecasts, .*Missing: fore"
    ):
        read_forecasts([str(folder / "records.csv")], CONFIG)
    (tmp_path / "x.parquet").write_text("no Parquet")
    with pytest.raises(DataError, match="x.parquet: expected a table of forecasts"):
        read_forecasts([str(tmp_path / "x.parquet")], CONFIG)


@pytest.mark.skipif(not REAL.exists(), reason="needs Jersey City's trip files")
def test_a_month_of_jersey_city_equals_pandas(tmp_path):
    """Last week's flows as forecasts of every hour of a month, against the trips of that month."""
    trips = [str(REAL / f"JC-2019{month}-citibike-tripdata.csv.zip") for month in ("08", "09")]
    config = presets.load("citibike-jc")
    bare = config.replace({"ingest.weather_columns": []})
    frames = read_history(trips, bare).frames
    first = np.datetime64("2019-09-01T00:00", "m").astype(np.int64)
    rows = np.flatnonzero(frames.starts >= first)
    made = Forecast(frames.starts[rows][:, None], frames.maps[rows - 168][:, None]).table()
    made.to_parquet(tmp_path / "september.parquet", index=False)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    found = score_files([str(tmp_path / "september.parquet")], trips, None, None, config, {})
    truth = pd.DataFrame(
        {
            name: frames.maps[rows][..., channel].reshape(-1)
            for channel, name in enumerate(("inflow", "outflow"))
        }
    )
    errors = made[["inflow", "outflow"]].astype(float) - truth
    active = int((frames.maps[frames.starts < first] > 0).any(axis=(0, 3)).sum())
    expected = ((errors**2).to_numpy().sum() / (len(rows) * active * 2)) ** 0.5
    assert found["scored"] == 720 and found["left_out"] == {}
    model, week = found["metrics"]["model"], found["metrics"]["last_week"]
    assert model["rmse_active_cells"] == pytest.approx(expected, rel=1e-9)
    assert model == pytest.approx(week, rel=1e-9)
    by_day = (errors**2).sum(axis=1).groupby(made.interval_start.dt.strftime("%Y-%m-%d")).sum()
    for day, total in by_day.items():
        own = found["by_day"][day]["model"]["rmse_active_cells"]
        assert own == pytest.approx((total / (24 * active * 2)) ** 0.5, rel=1e-9)
