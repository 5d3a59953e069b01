"""Raw trips to flows, by `crowdflow ingest`: conservation, and equality with a plain pandas count."""

import zipfile

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from worlds.plain_flows import (
    COLUMNS,
    KEYS,
    PORTABLE,
    plain_count,
    rejects,
    require_equal,
    run_ingest,
)

from crowdflow.config import Config
from crowdflow.ingest.flow_table import ingest
from crowdflow.ingest.trips import trip_files
from crowdflow.pipeline.cli import main
from crowdflow.schema.errors import DataError
from crowdflow.simulation.city import CitySpec, simulate


@pytest.fixture(scope="module")
def city():
    spec = CitySpec(rows=4, cols=5, start_date="2024-03-04", days=8, demand=15)
    grid = {n: getattr(spec, n) for n in ("rows", "cols", "south", "west", "north", "east")}
    return simulate(spec), grid


@pytest.mark.e2e
@pytest.mark.parametrize(
    "beam_args", [PORTABLE, ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]]
)
def test_other_runners_give_the_same(tmp_path, city, beam_args):
    paths = write_three_headers(tmp_path, city[0].trips)
    run_ingest(paths, tmp_path / "a", city[1])
    run_ingest(paths, tmp_path / "b", city[1], beam_args)
    for name in ("flows.parquet", "counters.json", "rejects.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def write_three_headers(folder, trips):
    """Writes the city's trips with the three headers of Citi Bike, and as Parquet; the zip has a stray member."""
    parts = np.array_split(trips[COLUMNS].sample(frac=1, random_state=1), 4)
    station = {f"{side}_{at}": f"{side} station {long}" for side in ("start", "end")
               for at, long in (("lat", "latitude"), ("lon", "longitude"))}  # fmt: skip
    lower = parts[0].rename(columns={"start_time": "starttime", "end_time": "stoptime", **station})
    lower.to_csv(folder / "a.csv.gz", index=False, date_format="%Y-%m-%d %H:%M:%S.%f", quoting=2)
    title = parts[1].rename(
        columns={"start_time": "start time", "end_time": "stop time", **station}
    )
    title.rename(columns=str.title).to_csv(folder / "b.csv", index=False)
    newer = {"start_time": "started_at", "end_time": "ended_at", "start_lon": "start_lng"}
    text = parts[2].rename(columns={**newer, "end_lon": "end_lng"}).to_csv(index=False)
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr("c.csv", text)
        archive.writestr("__MACOSX/._c.csv", b"\x00\x05")
    parts[3].to_parquet(folder / "d.parquet", index=False, row_group_size=500)
    return [folder / name for name in ("a.csv.gz", "b.csv", "c.zip", "d.parquet")]


def test_three_headers_and_parquet_in_one_run(tmp_path, city, monkeypatch):
    monkeypatch.setattr(trip_files, "SLICE_BYTES", 20_000)
    monkeypatch.setattr(trip_files, "_BLOCK_BYTES", 7_000)
    paths = write_three_headers(tmp_path, city[0].trips)
    flows, counters = run_ingest(paths, tmp_path / "out", city[1])
    require_equal(flows, plain_count(city[0].trips, city[1]))
    assert counters["trips_read"] == len(city[0].trips)
    assert counters["ignored_members"] == [f"{tmp_path}/c.zip/__MACOSX/._c.csv"]
    assert counters["frames"] == 8 * 24
    assert counters["skipped_intervals"] == 1  # 2024-03-10 02:00


def test_every_reject_is_listed_by_file_and_line(tmp_path, city, monkeypatch):
    monkeypatch.setattr(trip_files, "SLICE_BYTES", 9_000)
    trips = city[0].trips[COLUMNS].iloc[:400].astype(str)
    trips.loc[10, ["end_lat", "end_lon"]] = ""
    trips.loc[150, "start_time"] = "soon"
    trips.loc[200, "end_time"] = "2024-03-04 00:00:00"
    trips.loc[250, "end_time"] = "2024-05-04 00:00:00"
    trips.loc[300, ["start_lat", "start_lon"]] = "0"
    trips.loc[350, "start_lat"] = "50"
    lines = trips.to_csv(index=False).splitlines()
    lines[380] += ",too,many"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    _, counters = run_ingest([tmp_path / "a.csv"], tmp_path / "out", city[1], max_reject_share=0.2)
    found = rejects(tmp_path / "out")
    late = found[found["reason"] == "end_outside_span"]
    assert len(late) == counters["end_rejects"]["outside_span"] > 0
    assert (
        trips.loc[late["row"] - 2, "end_time"] >= "2024-03-04 08:00"
    ).all()  # the last start: 07:48
    assert found[~found.index.isin(late.index)][["row", "reason"]].values.tolist() == [
        [12, "end_no_position"],
        [152, "start_unparsable"],
        [202, "end_ends_before_start"],
        [202, "start_ends_before_start"],
        [252, "end_too_long"],
        [302, "start_no_position"],
        [352, "start_outside_grid"],
        [381, "end_unparsable"],
        [381, "start_unparsable"],
    ]
    assert "soon" in found.loc[found["row"] == 152, "value"].item()


def test_too_many_rejects_stop_the_run_and_are_listed(tmp_path, city):
    trips = city[0].trips[COLUMNS].iloc[:400].copy()
    trips.loc[:99, "start_lat"] = 50.0
    trips.to_csv(tmp_path / "a.csv", index=False)
    grid = [f"--set=grid.{name}={value}" for name, value in city[1].items()]
    out = tmp_path / "out"
    args = ["ingest", "--data", str(tmp_path / "a.csv"), "--out", str(out), *grid]
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 1
    assert "start_outside_grid 100" in result.output and "max_reject_share" in result.output
    assert "a.csv, line 2: start_outside_grid" in result.output
    assert not (out / "flows.parquet").exists()
    assert len(rejects(out)) >= 100
    result = CliRunner().invoke(main, [*args, "--set=trips.max_reject_share=0.5"])
    assert result.exit_code == 0, result.output
    assert "trips read 400, starts binned 300" in result.output


def test_a_zip_that_is_damaged_inside_stops_the_run(tmp_path, city):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", city[0].trips[COLUMNS].to_csv(index=False))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[-3000:-2900] = bytes(100)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match="a.zip.*lines into its part 1: cannot be read"):
        run_ingest([tmp_path / "a.zip"], tmp_path / "out", city[1])


def test_months_without_a_file_and_days_given(tmp_path, city):
    trips = city[0].trips[COLUMNS]
    later = trips.copy()
    for name in COLUMNS[:2]:
        later[name] += pd.Timedelta(days=63)  # 2024-05-06, a Monday again
    trips.to_csv(tmp_path / "a.csv", index=False)
    later.to_parquet(tmp_path / "b.parquet", index=False)
    both = [tmp_path / "a.csv", tmp_path / "b.parquet"]
    _, counters = run_ingest(both, tmp_path / "out", city[1])
    assert counters["missing_months"] == ["2024-04"]
    # March from the first start to its end, May from its first day to the last start.
    assert counters["frames"] == 24 * (31 - 3) + 24 * 13
    assert counters["empty_days"] == (31 - 3 - 8) + 5
    _, counters = run_ingest(
        both, tmp_path / "out", city[1], last_day="2024-03-31", max_reject_share=0.6
    )
    assert counters["start_rejects"]["outside_span"] == len(trips)
    assert counters["frames"] == 8 * 24


def test_the_table_that_comes_out_can_go_in_again(tmp_path, city):
    city[0].trips[COLUMNS].to_csv(tmp_path / "a.csv", index=False)
    first, counters = run_ingest(
        [tmp_path / "a.csv"], tmp_path / "out", city[1], empty_days="missing"
    )
    values = {"grid": city[1], "paths": {"data": [str(tmp_path / "out/flows.parquet")]}}
    again = ingest(Config.from_dict(values), tmp_path / "again", ("libcity",), (), str)
    assert again["frames"] == counters["frames"]
    pd.testing.assert_frame_equal(first, pd.read_parquet(tmp_path / "again/flows.parquet"))
    grid = pd.read_csv(tmp_path / "again/crowdflow.grid")
    assert len(grid) == 20 * counters["frames"]
    assert grid["time"].iloc[0] == "2024-03-04T00:00:00Z"
    assert (grid["dyna_id"] == np.arange(len(grid))).all()
    grid["interval_start"] = pd.to_datetime(grid["time"]).dt.tz_localize(None)
    moved = grid[grid[["inflow", "outflow"]].any(axis=1)]
    moved = moved.rename(columns={"row_id": "row", "column_id": "col"}).set_index(KEYS)
    require_equal(first, moved[["inflow", "outflow"]])
    geo = pd.read_csv(tmp_path / "again/crowdflow.geo")
    assert geo["row_id"].tolist() == np.repeat(range(4), 5).tolist()


def test_trajectories(tmp_path):
    grid = {"rows": 1, "cols": 3, "south": 0.0, "west": 0.0, "north": 1.0, "east": 3.0}
    rows = [
        ("x", "2024-04-01 08:58:00", 0.5, -1.0),  # from outside the box
        ("x", "2024-04-01 08:59:00", 0.5, 0.5),
        ("x", "2024-04-01 09:00:00", 0.5, 1.5),
        ("x", "2024-04-01 09:20:01", 0.5, 2.5),  # after too long a gap
        ("y", "2024-04-01 09:10:00", 0.5, 2.5),
        ("y", "2024-04-01 09:11:00", 0.5, 0.5),
        ("y", "never", 0.5, 0.5),
        ("y", "2024-04-01 10:11:00", None, None),
    ]
    table = pd.DataFrame(rows, columns=["id", "time", "latitude", "longitude"])
    table[::2].to_csv(tmp_path / "a.csv", index=False)
    table[1::2].to_csv(tmp_path / "b.csv", index=False)
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    flows, counters = run_ingest(
        paths, tmp_path / "out", grid, max_gap_minutes=20, max_reject_share=0.3
    )
    assert flows.astype({"interval_start": str}).values.tolist() == [
        ["2024-04-01 08:00:00", 0, 0, 1.0, 0.0],
        ["2024-04-01 09:00:00", 0, 0, 1.0, 1.0],
        ["2024-04-01 09:00:00", 0, 1, 1.0, 0.0],
        ["2024-04-01 09:00:00", 0, 2, 0.0, 1.0],
        ["2024-04-01 10:00:00", 0, 0, 0.0, 0.0],
    ]
    assert (counters["points_read"], counters["points_used"], counters["gaps"]) == (8, 6, 1)
    assert counters["point_rejects"]["unparsable"] == counters["point_rejects"]["no_position"] == 1
    assert (counters["crossings_in"], counters["crossings_out"]) == (3, 2)
    assert (counters["starts_binned"], counters["ends_binned"]) == (0, 0)
