"""schema/README.md against the code: it describes every field, and correctly."""

import re
from importlib import resources

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from crowdflow.components.flow_schema.render import render
from crowdflow.config import Config, presets
from crowdflow.flows import windows as window_plans
from crowdflow.ingest import tally as tallies
from crowdflow.ingest.times.spellings import SPELLINGS
from crowdflow.ingest.trips import trip_rows, trip_summary, trip_tally
from crowdflow.schema import features
from crowdflow.schema.templates import parse

README = resources.files("crowdflow.schema").joinpath("README.md").read_text(encoding="utf-8")
MENTIONED = set(re.findall(r"`([^`]+)`", README))
# The values differ, so that no shape matches by chance.
LETTERS = {
    "H": 5,
    "W": 7,
    "lc": 3,
    "lp": 2,
    "lq": 4,
    "la": 8,
    "ld": 5,
    "h": 6,
    "k": 9,
    "ingest.max_flow": 123.0,
}
CONFIG = Config().replace(
    {
        "grid.rows": LETTERS["H"],
        "grid.cols": LETTERS["W"],
        "windows.closeness": LETTERS["lc"],
        "windows.period": LETTERS["lp"],
        "windows.trend": LETTERS["lq"],
        "windows.horizon": LETTERS["h"],
        "windows.average": LETTERS["la"],
        "windows.average_days": LETTERS["ld"],
        "ingest.max_flow": LETTERS["ingest.max_flow"],
        "ingest.holidays": True,
        "ingest.weather": True,
    }
)
TABLE = CONFIG.replace({"ingest.weather": False, "ingest.weather_columns": list("abcdefghi")})
TYPES = {"INT": "int64", "FLOAT": "float32"}


def section(title: str) -> str:
    """The text under a heading of the second level."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)[1]


def table(title: str) -> dict[str, list[str]]:
    """The rows with five cells in a section, by field: type, shape, range and meaning."""
    found = {}
    for line in section(title).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            found[cells[0].strip("`")] = cells[1:]
    return found


def number(text: str) -> float:
    """The value of a bound or size: a product or sum of numbers and letters."""
    if " + " in text:
        return sum(map(number, text.split(" + ")))
    factors = [part.strip() for part in text.split("*")]
    return float(np.prod([LETTERS[f] if f in LETTERS else float(f) for f in factors]))


def shape(text: str) -> list[int]:
    return [] if text == "scalar" else [int(number(part)) for part in text.strip("[]").split(",")]


def fields(*titles: str) -> dict[str, tuple]:
    """Type, shape, minimum and maximum of each field, from the tables."""
    found = {}
    for title in titles:
        for name, (kind, dims, bounds, _) in table(title).items():
            low, high = bounds.split("..")
            found[name] = (kind, shape(dims), number(low), number(high))
    return found


@pytest.mark.parametrize("name", ["frames", "windows"])
def test_tables_agree_with_the_schemas(name):
    schema = {}
    found = [*parse(render(name, CONFIG)).feature, *parse(render(name, TABLE)).feature]
    for feature in found:
        kind = TYPES[schema_pb2.FeatureType.Name(feature.type)]
        domain = feature.int_domain if kind == "int64" else feature.float_domain
        dims = [dim.size for dim in feature.shape.dim]
        schema[feature.name] = (kind, dims, domain.min, domain.max)
    assert fields(name.capitalize(), "Covariates") == schema


def test_order_of_lags_agrees_with_the_code():
    per_day = CONFIG.intervals.per_day
    offsets = window_plans.window_offsets(CONFIG.windows, per_day)
    days, weeks, steps = (LETTERS[n] for n in ("lp", "lq", "h"))
    assert offsets["closeness"].tolist() == [-1, -2, -3]
    expected = [-day * per_day + k for day in range(1, days + 1) for k in range(steps)]
    assert offsets["period"].tolist() == expected
    expected = [-week * 7 * per_day + k for week in range(1, weeks + 1) for k in range(steps)]
    assert offsets["trend"].tolist() == expected
    averaged = [*range(steps), *offsets["closeness"].tolist()]
    back = [week * 7 * per_day for week in range(1, LETTERS["la"] + 1)]
    back += [day * per_day for day in range(1, LETTERS["ld"] + 1)]
    expected = [[t - lag for lag in back] for t in averaged]
    assert offsets["average"].tolist() == expected


def test_every_name_in_the_code_is_mentioned():
    names = {
        value
        for name, value in vars(features).items()
        if name.isupper()
        and isinstance(value, str)
        and not name.endswith(("_PREFIX", "_FILE", "_NAME"))
    }
    assert len(names) > 20
    assert names | set(features.NAIVE_FORECASTS) | set(features.CHANNELS) <= MENTIONED


def test_signatures_are_described_with_every_input_and_output():
    served = section("The pushed model")
    rows = dict.fromkeys(re.findall(r"`(\w+)`", served))
    inputs = {*features.LAGS, features.TARGET_TIME}
    inputs |= {covariate.name for covariate in features.covariates(True, True, ("a",))}
    signatures = {features.DENSE_SIGNATURE, features.EXAMPLES_SIGNATURE}
    assert inputs | signatures | {features.FLOW} <= rows.keys()


def test_every_reject_reason_has_its_row_in_the_order_of_the_code():
    reasons = re.findall(r"^\| `(\w+)` \|", section("Rejected records"), re.MULTILINE)
    assert reasons == list(tallies.REASONS)
    assert set(tallies.Reject._fields) <= MENTIONED
    assert f"{tallies.REJECTS_CAP:,} rejects are listed" in README.replace("\n", " ")


def test_every_counter_is_mentioned():
    text = section("Counters")
    summary = tallies.summarize(tallies.of_frames(np.array([0])), 60)
    plan = window_plans.WindowPlan({s: [] for s in window_plans.SPLITS}, {}, 0, 0, 0)
    missing = [n for n in (*summary, *plan.counters()) if f"`{n}`" not in text]
    assert missing == []


def test_reasons_and_counters_of_raw_trips_agree_with_the_code():
    rows = re.findall(r"^\| `(\w+)` \|.*\| x", section("Raw trips"), re.MULTILINE)
    assert rows == list(trip_rows.REASONS)
    tally = trip_tally.of_day(np.array([0]), np.zeros((1, 1, 1, 2)), 0, "UTC")
    missing = [n for n in trip_summary.summarize(tally, 60) if f"`{n}`" not in section("Counters")]
    assert missing == []


def test_every_setting_that_is_named_exists():
    sections = Config().to_dict()
    named = {n for n in MENTIONED if re.fullmatch(r"[a-z]+\.[a-z_]+", n)}
    named = {n for n in named if n.split(".")[0] in sections and not n.endswith(".pbtxt")}
    assert len(named) > 15
    assert [n for n in named if n.split(".")[1] not in sections[n.split(".")[0]]] == []


def test_every_spelling_of_a_time_has_its_row_with_its_examples():
    text = section("Raw trips").split("### Spellings and shapes")[1]
    rows = re.findall(r"^\| ([^|`]+) \| (`[^|]+`) \|", text, re.MULTILINE)
    found = {name: tuple(re.findall(r"`([^`]+)`", examples)) for name, examples in rows}
    for spelling in SPELLINGS:
        assert found[spelling.name] == spelling.examples


def test_presets_have_no_field_beyond_the_contract():
    for preset in presets.names():
        for name in ("frames", "windows"):
            found = {feature.name for feature in parse(render(name, presets.load(preset))).feature}
            assert found <= table(name.capitalize()).keys() | table("Covariates").keys()
