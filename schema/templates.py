"""The schema templates in this folder: TensorFlow Metadata `Schema` protos as text, with `$names` to fill in."""

from importlib import resources
from string import Template

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

FRAMES, WINDOWS, DRIFT = "frames", "windows", "drift"
_COVARIATES = "covariates"


def read(name: str) -> str:
    """Reads the template `FRAMES`, `WINDOWS` or `DRIFT`; the first two include the covariates."""
    parts = (name,) if name == DRIFT else (name, _COVARIATES)
    folder = resources.files(__package__)
    return "\n".join(folder.joinpath(f"{part}.pbtxt").read_text(encoding="utf-8") for part in parts)


def fill(template: str, **values: float) -> schema_pb2.Schema:
    """Fills in the names of a template.

    Raises:
      KeyError: a name has no value.
    """
    return parse(Template(template).substitute(values))


def parse(text: str) -> schema_pb2.Schema:
    """Parses a `Schema` from text."""
    return text_format.Parse(text, schema_pb2.Schema())
