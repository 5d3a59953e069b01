"""FlowSchema: writes the schemas of frames and windows."""

import os

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import standard_artifacts
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"


@component
def FlowSchema(
    frame_schema: OutputArtifact[standard_artifacts.Schema],
    window_schema: OutputArtifact[standard_artifacts.Schema],
    frame_text: Parameter[str],
    window_text: Parameter[str],
    code_fingerprint: Parameter[str],
) -> None:
    """Writes the schemas of frames and windows, as `components.flow_schema.render` makes them.

    Their texts are parameters, so the cache is keyed by content (an imported file's content is not).
    """
    for artifact, text in ((frame_schema, frame_text), (window_schema, window_text)):
        io_utils.write_string_file(os.path.join(artifact.uri, SCHEMA_FILE), text)
