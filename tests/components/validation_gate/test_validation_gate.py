"""The validation nodes over real statistics and anomalies: what stops a run, and in which words."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tfx.components.example_validator.executor import Executor as ExampleValidatorExecutor
from tfx.components.statistics_gen.executor import Executor as StatisticsGenExecutor
from tfx.types import standard_artifacts
from tfx_bsl.coders import example_coder

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_schema.component import FlowSchema
from crowdflow.components.flow_schema.render import render
from crowdflow.components.tf_examples import encode_frames
from crowdflow.components.validation_gate.anomalies import spell_out
from crowdflow.components.validation_gate.component import ValidationGate
from crowdflow.config import Config
from crowdflow.flows.frames import FrameBlock
from crowdflow.schema.errors import ValidationError
from crowdflow.schema.templates import FRAMES, WINDOWS, parse

CONFIG = Config.from_dict(
    {"grid": {"rows": 2, "cols": 3}, "ingest": {"max_flow": 100, "holidays": True}}
)


def frames(rows=2, inflow=None, outflow=None, holiday=0, covariates=True):
    """Five frames with flows 5..35, serialized; the third one's north-eastern cell can be set."""
    maps = np.linspace(5, 35, 5 * rows * 3 * 2, dtype=np.float32).reshape(5, rows, 3, 2)
    for channel, value in enumerate((inflow, outflow)):
        if value is not None:
            maps[2, 0, 2, channel] = value
    known = {"holiday": np.array([0, 0, 0, 0, holiday])} if covariates else {}
    return encode_frames(FrameBlock(np.arange(5) * 60, maps, known))


def said(serialized):
    """What the gate would say of some frames."""
    schema = parse(render(FRAMES, CONFIG))
    batch = example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(serialized)
    statistics = stats_impl.generate_statistics_in_memory(batch)
    return spell_out(tfdv.validate_statistics(statistics, schema), statistics, schema)


def test_good_frames_have_nothing_to_say():
    assert said(frames()) == []
    assert said(frames(inflow=0, outflow=100)) == []


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # TFDV's own, of inf
@pytest.mark.parametrize(
    ("bad", "field", "parts"),
    [
        ({"inflow": 512}, "inflow", ["512>100", "Allowed 0 to 100; found 5 to 512."]),
        ({"outflow": -3}, "outflow", ["-3<0", "Allowed 0 to 100; found -3 to 35."]),
        ({"inflow": np.nan}, "inflow", ["has NaN values.", "Allowed 0 to 100;"]),
        (
            {"outflow": np.inf},
            "outflow",
            ["has Inf values.", "Allowed 0 to 100; found 5.", "to inf."],
        ),
        ({"holiday": 2}, "holiday", ["Out-of-range", "Allowed 0 to 1; found 0 to 2."]),
        ({"rows": 4}, "inflow", ["fixed value length 12", "Expected shape 2 x 3;"]),
        ({"covariates": False}, "holiday", ["Column is completely missing. Allowed 0 to 1."]),
    ],
)
def test_an_anomaly_is_spelled_out_with_field_value_and_bound(bad, field, parts):
    lines = said(frames(**bad))
    [line] = [line for line in lines if line.startswith(f"{field}: ") and parts[0] in line]
    assert all(part in line for part in parts), line
    both = {"inflow", "outflow"} if "rows" in bad else {field}
    assert {line.split(":")[0] for line in lines} == both


def test_every_anomaly_has_its_line():
    lines = said(frames(inflow=-7, outflow=np.nan, holiday=3))
    assert [line.split(":")[0] for line in lines] == ["holiday", "inflow", "outflow"]
    lines = said(frames()[:2] + frames(covariates=False))
    assert any("minimum fraction = 1.000000, actual = 0.285714" in line for line in lines)
    assert all(line.startswith("holiday: ") for line in lines)


@pytest.fixture
def nodes(tmp_path):
    """Runs the validation nodes' executors, as the pipeline wires them, over one split of frames."""

    def artifact(kind, name):
        found = kind()
        found.uri = str(tmp_path / name)
        return [found]

    def run(serialized):
        examples = artifact(standard_artifacts.Examples, "examples")
        examples[0].split_names = '["all"]'
        (tmp_path / "examples" / "Split-all").mkdir(parents=True)
        with tf.io.TFRecordWriter(f"{examples[0].uri}/Split-all/part.gz", "GZIP") as file:
            for record in serialized:
                file.write(record)
        statistics = artifact(standard_artifacts.ExampleStatistics, "statistics")
        StatisticsGenExecutor().Do({"examples": examples}, {"statistics": statistics}, {})
        schemas = {
            name: artifact(standard_artifacts.Schema, name)
            for name in ("frame_schema", "window_schema")
        }
        texts = {"frame_text": render(FRAMES, CONFIG), "window_text": render(WINDOWS, CONFIG)}
        parameters = {**texts, "code_fingerprint": ""}
        FlowSchema.EXECUTOR_SPEC.executor_class().Do({}, schemas, parameters)
        anomalies = artifact(standard_artifacts.ExampleAnomalies, "anomalies")
        found = {"statistics": statistics, "schema": schemas["frame_schema"]}
        ExampleValidatorExecutor().Do(found, {"anomalies": anomalies}, {})
        ValidationGate.EXECUTOR_SPEC.executor_class().Do(
            {**found, "anomalies": anomalies},
            {"verdict": artifact(FlowCounters, "verdict")},
            {"code_fingerprint": "code"},
        )

    return run


def test_the_gate_lets_good_frames_pass(nodes, tmp_path):
    nodes(frames())
    assert (tmp_path / "verdict/verdict.txt").read_text() == "passed: no anomaly in all\n"
    for name, kind in (("frame_schema", FRAMES), ("window_schema", WINDOWS)):
        assert (tmp_path / name / "schema.pbtxt").read_text() == render(kind, CONFIG)


def test_the_gate_stops_the_run(nodes, tmp_path):
    with pytest.raises(ValidationError) as raised:
        nodes(frames(inflow=512, outflow=-3))
    first, *lines = str(raised.value).splitlines()
    assert first == "The frames break the data contract (schema/README.md):"
    assert [line.split(":")[0] for line in lines] == ["  inflow", "  outflow"]
    assert "512>100" in lines[0] and "-3<0" in lines[1]
    assert not (tmp_path / "verdict").exists()
