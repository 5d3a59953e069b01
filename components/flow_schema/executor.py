"""Writes the schemas of frames and windows."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

SCHEMA_FILE = "schema.pbtxt"


class Executor(base_executor.BaseExecutor):
    """Executor of FlowSchema."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See the component."""
        for key, text in (("frame_schema", "frame_text"), ("window_schema", "window_text")):
            folder = artifact_utils.get_single_uri(output_dict[key])
            io_utils.write_string_file(os.path.join(folder, SCHEMA_FILE), exec_properties[text])
