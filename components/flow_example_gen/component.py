"""FlowExampleGen: a file-based ExampleGen for crowd flows."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.components.example_gen import component, driver, utils
from tfx.dsl.components.base import executor_spec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from crowdflow.components.artifacts import FlowCounters
from crowdflow.components.flow_example_gen.executor import SPLIT, Executor
from crowdflow.config import Config
from crowdflow.ingest.date_range import resolve
from crowdflow.ingest.sources import fingerprint, inspect_sources
from crowdflow.storage.addresses import is_address

# In the pipeline root: the digests of the inputs, so that files that did not change are not read for them again.
DIGESTS = "inputs.json"


class FlowExampleGenSpec(ComponentSpec):
    """Parameters and outputs of FlowExampleGen."""

    PARAMETERS = {
        **standard_component_specs.FileBasedExampleGenSpec.PARAMETERS,
        "paths": ExecutionParameter(type=str),
        "config": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        "counters": ChannelParameter(type=FlowCounters),
    }


class Driver(driver.FileBasedDriver):
    """Puts the content of every input, side files included, into the fingerprint used for caching."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the span, no version, and the fingerprint, which does not depend on file times or order.

        The span is the last date of the range, as days since 1970-01-01; 0 without a range.

        Raises:
          DataNotFoundError: an input is not there.
          DataError: an input is not of its form.
        """
        del component_info
        root = pipeline_info and pipeline_info.pipeline_root
        kept = Path(root, DIGESTS) if root and not is_address(root) else None
        config = Config.from_sections(exec_properties["config"])
        resolved = resolve(json.loads(exec_properties["paths"]), config)
        sources = inspect_sources(resolved.paths, resolved.config)
        exec_properties[utils.SPAN_PROPERTY_NAME] = resolved.span
        exec_properties[utils.VERSION_PROPERTY_NAME] = None
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = fingerprint(sources, kept)
        return exec_properties


class FlowExampleGen(component.FileBasedExampleGen):
    """Reads flow records and writes one tf.Example per flow frame, in one split, `all`.

    In: HDF5 files of the BikeNYC and TaxiBJ form, and tables of flow records, CSV and Parquet, over
    any number of files; meteorology and holidays as side files. A file's kind is found by its
    content and ending. Out: `examples`, frames with the features of `schema.features`, and
    `counters`, a folder with `counters.json` and `rejects.csv`.

    Every reject is counted by reason (`tally.REASONS`), and the run stops past
    `ingest.max_reject_share`. Of duplicates, of an (interval, cell) or of an interval, the first by
    file name and row stays. An HDF5 frame with one bad flow is rejected whole; an interval of a
    table that lost a row to a reject is missing, not filled with zero.

    With a range of dates (`range.weeks`) only its files are read, records of other dates are left out
    and counted, and the span of `examples` is the last date.

    Example:
      ```
      example_gen = FlowExampleGen(
          paths=["flows/", "BJ_Holiday.txt"],
          config=config.section("grid", "intervals", "ingest"),
          code_fingerprint=fingerprint("crowdflow.components.flow_example_gen.executor"),
      )
      ```
    """

    SPEC_CLASS = FlowExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(self, paths: Sequence[str], config: str, code_fingerprint: str):
        """Constructs the component.

        Args:
          paths: input files, folders and glob patterns, in any order.
          config: JSON of the sections grid, intervals, ingest and trips; with a range of dates, range and windows.
          code_fingerprint: of the executor's code; part of the cache key.
        """
        paths = sorted(set(map(str, paths)))
        spec = FlowExampleGenSpec(
            input_base=os.path.dirname(paths[0]) if paths else "",
            input_config=example_gen_pb2.Input(
                splits=[example_gen_pb2.Input.Split(name=SPLIT, pattern="*")]
            ),
            output_config=example_gen_pb2.Output(),
            output_data_format=example_gen_pb2.FORMAT_TF_EXAMPLE,
            output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
            paths=json.dumps(paths),
            config=config,
            code_fingerprint=code_fingerprint,
            examples=types.Channel(type=standard_artifacts.Examples),
            counters=types.Channel(type=FlowCounters),
        )
        # The constructor of FileBasedExampleGen builds a spec without these parameters and outputs.
        super(component.FileBasedExampleGen, self).__init__(spec=spec)
