"""The nodes around ExampleValidator: the concrete schemas, and the gate that stops the run."""

import os

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from components.artifacts import FlowCounters
from components.errors import ValidationError
from components.validation_gate.anomalies import spell_out

SCHEMA_FILE = "schema.pbtxt"
_STATISTICS_FILE, _ANOMALIES_FILE = "FeatureStats.pb", "SchemaDiff.pb"


@component
def FlowSchema(
    frame_schema: OutputArtifact[standard_artifacts.Schema],
    window_schema: OutputArtifact[standard_artifacts.Schema],
    frame_text: Parameter[str],
    window_text: Parameter[str],
    code_fingerprint: Parameter[str],
) -> None:
    """Writes the schemas of frames and windows, as `schema.render` gives them.

    Their texts are parameters, so the cache is keyed by content (an imported file's content is not).
    """
    for artifact, text in ((frame_schema, frame_text), (window_schema, window_text)):
        io_utils.write_string_file(os.path.join(artifact.uri, SCHEMA_FILE), text)


@component
def ValidationGate(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    verdict: OutputArtifact[FlowCounters],
    code_fingerprint: Parameter[str],
) -> None:
    """Stops the run with the anomalies spelled out; ExampleValidator alone only writes them down.

    Raises:
      ValidationError: a split has an anomaly; the message has field, value and bound of each.
    """
    contract = io_utils.SchemaReader().read(os.path.join(schema.uri, SCHEMA_FILE))
    lines = []
    splits = artifact_utils.decode_split_names(anomalies.split_names)
    for split in splits:
        folder = f"Split-{split}"
        stats = tfdv.load_stats_binary(os.path.join(statistics.uri, folder, _STATISTICS_FILE))
        found = anomalies_pb2.Anomalies()
        with fileio.open(os.path.join(anomalies.uri, folder, _ANOMALIES_FILE), "rb") as file:
            found.ParseFromString(file.read())
        lines += spell_out(found, stats, contract)
    if lines:
        raise ValidationError(
            "The frames break the data contract (schema/README.md):\n  " + "\n  ".join(lines)
        )
    text = "passed: no anomaly in " + ", ".join(splits) + "\n"
    io_utils.write_string_file(os.path.join(verdict.uri, "verdict.txt"), text)
