"""TFX's artifacts and parameters from a step's ExecutorInput, and the ExecutorOutput from its artifacts.

TFX's own `kubeflow_v2_entrypoint_utils` does the same, but imports every component of TFX, and kfp: half of a
step's start.
"""

import hashlib
from collections.abc import Mapping, MutableMapping
from typing import Any

import yaml
from ml_metadata.proto import metadata_store_pb2
from tfx import types, version
from tfx.types import artifact, artifact_utils, standard_artifacts
from tfx.utils import import_utils

# Properties of the Evaluator's blessing: numbers of artifacts here, their names in Kubeflow.
_NUMBERS = ("current_model_id", "baseline_model_id")
_NUMBER_TYPES = {metadata_store_pb2.INT: int, metadata_store_pb2.DOUBLE: float}
_STANDARD = "tfx."

Names = MutableMapping[int, str]


def parse_artifacts(given: Mapping[str, Any], names: Names) -> dict[str, list[types.Artifact]]:
    """The artifacts of a side of the ExecutorInput, by key.

    Args:
      given: `artifacts` of `inputs` or `outputs`, parsed from JSON, each with its type.
      names: gets the name of every artifact by the number that it has in TFX.
    """
    return {
        key: [_parse(one, names) for one in entry.get("artifacts", [])]
        for key, entry in given.items()
    }


def parse_parameters(values: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """An executor's parameters.

    Args:
      values: `parameterValues` of the ExecutorInput; JSON has one kind of numbers.
      declared: `parameters` of the node's ComponentInputsSpec, by which some are integers.
    """
    whole = {k for k, spec in declared.items() if spec.get("parameterType") == "NUMBER_INTEGER"}
    return {name: int(value) if name in whole else value for name, value in values.items()}


def to_output(outputs: Mapping[str, list[types.Artifact]], names: Names) -> dict[str, Any]:
    """The ExecutorOutput: address, name and properties of every output."""
    return {
        "artifacts": {
            key: {"artifacts": [_to_runtime(one, names) for one in found]}
            for key, found in outputs.items()
        }
    }


def _parse(given: Mapping[str, Any], names: Names) -> types.Artifact:
    made = _class_of(given["type"])()
    proto = metadata_store_pb2.Artifact(uri=given.get("uri", ""))
    if name := given.get("name"):
        proto.id = int(hashlib.sha256(name.encode()).hexdigest(), 16) % (1 << 63)
        names[proto.id] = name
    made.set_mlmd_artifact(proto)
    kinds = made.artifact_type.properties
    for key, value in given.get("metadata", {}).items():
        plain = key.removeprefix(artifact.CUSTOM_PROPERTIES_PREFIX)
        if isinstance(value, (int, float)) and kinds.get(key) in _NUMBER_TYPES:
            setattr(made, key, _NUMBER_TYPES[kinds[key]](value))
        elif isinstance(value, str) and kinds.get(key) == metadata_store_pb2.STRING:
            setattr(made, key, value)
        else:
            made.set_json_value_custom_property(plain if plain in kinds else key, value)
    made.set_mlmd_artifact(made.mlmd_artifact)  # only then can the JSON values be asked for
    return made


def _class_of(kind: Mapping[str, str]) -> type[types.Artifact]:
    """The class of an ArtifactTypeSchema: its title is `tfx.Model`, or says where a class of ours is."""
    title = kind.get("schemaTitle") or yaml.safe_load(kind["instanceSchema"])["title"]
    if title.startswith(_STANDARD):
        return getattr(standard_artifacts, title.removeprefix(_STANDARD))
    return import_utils.import_class_by_path(title)


def _to_runtime(made: types.Artifact, names: Names) -> dict[str, Any]:
    key = artifact_utils.ARTIFACT_TFX_VERSION_CUSTOM_PROPERTY_KEY
    if not made.has_custom_property(key):
        made.set_string_custom_property(key, version.__version__)
    proto, kinds = made.mlmd_artifact, made.artifact_type.properties
    metadata = {key: _plain(value) for key, value in proto.properties.items()}
    for key, value in proto.custom_properties.items():
        if value.HasField("struct_value"):
            found = made.get_json_value_custom_property(key)
        else:
            found = _plain(value)
        prefix = artifact.CUSTOM_PROPERTIES_PREFIX if key in kinds else ""
        metadata[prefix + key] = names[found] if key in _NUMBERS else found
    named = {"name": names[made.id]} if made.id in names else {}
    return {"uri": made.uri, "metadata": metadata, **named}


def _plain(value: metadata_store_pb2.Value) -> int | float | str:
    return getattr(value, value.WhichOneof("value"))
