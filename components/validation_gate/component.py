"""ValidationGate: stops the run if the frames break the data contract."""

import os

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_schema.component import SCHEMA_FILE
from crowdflow.components.validation_gate.anomalies import spell_out
from crowdflow.schema.errors import ValidationError

_STATISTICS_FILE, _ANOMALIES_FILE = "FeatureStats.pb", "SchemaDiff.pb"


@component
def ValidationGate(
    statistics: InputArtifact[standard_artifacts.ExampleStatistics],
    schema: InputArtifact[standard_artifacts.Schema],
    anomalies: InputArtifact[standard_artifacts.ExampleAnomalies],
    verdict: OutputArtifact[FlowCounters],
    code_fingerprint: Parameter[str],
) -> None:
    """Stops the run and lists the anomalies, which ExampleValidator only records.

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
