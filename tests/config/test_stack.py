"""Where the stacks differ: which one this is, TensorFlow's greetings, and the runner of Beam's data flows."""

import importlib.metadata
import subprocess
import sys

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from crowdflow.config.beam_runner import LocalRunner, with_runner
from crowdflow.config.stack import OLDER, STACK


def test_the_stack_is_the_one_that_is_installed():
    version = importlib.metadata.version("tfx")
    assert version.startswith({"today": "1.21.", "older": "1.16."}[STACK])


QUIET = "from crowdflow.config.stack import quiet_tensorflow\nwith quiet_tensorflow():\n    "


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.skipif(
    STACK == OLDER, reason="TensorFlow 2.16 heeds its log level, but for its CUDA plugins"
)
def test_tensorflow_is_imported_without_a_word():
    done = run(f"{QUIET}import tensorflow\nimport sys; print('after', file=sys.stderr)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "after\n")


def test_what_was_held_back_comes_out_where_an_import_fails():
    done = run(f"{QUIET}import os; os.write(2, b'why\\n'); import no_such_library")
    assert done.returncode == 1
    assert "why\n" in done.stderr and "No module named 'no_such_library'" in done.stderr


@pytest.mark.parametrize("options", [[], ["--direct_num_workers=2"]])
@pytest.mark.parametrize("beams_own", [[], ["--runner=DirectRunner"]])
def test_a_runner_is_named_where_none_is(options, beams_own):
    named = with_runner([*options, *beams_own])
    assert named[2:] == options
    with beam.Pipeline(options=PipelineOptions(named)) as pipeline:
        assert isinstance(pipeline.runner, LocalRunner)
        pipeline | beam.Create([1])


@pytest.mark.parametrize("runner", ["FlinkRunner", "PortableRunner", "DataflowRunner"])
def test_a_runner_that_is_named_stays(runner):
    options = [f"--runner={runner}", "--experiments=a"]
    assert with_runner(options) == options
    assert PipelineOptions(with_runner(options)).view_as(StandardOptions).runner == runner
