"""Stops the run if the frames break the data contract."""

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from crowdflow.components.flow_schema.executor import SCHEMA_FILE
from crowdflow.components.validation_gate.anomalies import spell_out
from crowdflow.schema.errors import ValidationError

_STATISTICS_FILE, _ANOMALIES_FILE = "FeatureStats.pb", "SchemaDiff.pb"


class Executor(base_executor.BaseExecutor):
    """Executor of ValidationGate."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component.

        Raises:
          ValidationError: a split has an anomaly; the message has field, value and bound of each.
        """
        statistics, schema = (
            artifact_utils.get_single_uri(input_dict[name]) for name in ("statistics", "schema")
        )
        contract = io_utils.SchemaReader().read(os.path.join(schema, SCHEMA_FILE))
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        lines = []
        splits = artifact_utils.decode_split_names(anomalies.split_names)
        for split in splits:
            folder = f"Split-{split}"
            stats = statistics_pb2.DatasetFeatureStatisticsList.FromString(
                _read(os.path.join(statistics, folder, _STATISTICS_FILE))
            )
            found = anomalies_pb2.Anomalies.FromString(
                _read(os.path.join(anomalies.uri, folder, _ANOMALIES_FILE))
            )
            lines += spell_out(found, stats, contract)
        if lines:
            raise ValidationError(
                "The frames break the data contract (schema/README.md):\n  " + "\n  ".join(lines)
            )
        text = "passed: no anomaly in " + ", ".join(splits) + "\n"
        verdict = artifact_utils.get_single_uri(output_dict["verdict"])
        io_utils.write_string_file(os.path.join(verdict, "verdict.txt"), text)


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        return file.read()
