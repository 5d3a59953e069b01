"""CrowdFlow's errors come out of a real pipeline as themselves; other errors are unchanged."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from crowdflow.config.beam_runner import LocalRunner
from crowdflow.ingest.beam_errors import clear_errors
from crowdflow.schema import errors


def fail(_, kind, text):
    raise kind(text)


def run(kind, text, **options):
    with clear_errors(), beam.Pipeline(LocalRunner(), **options) as pipeline:
        (
            pipeline
            | beam.Create([1])
            | "Outer" >> beam.Map(lambda x: x)
            | "Fails" >> beam.Map(fail, kind, text)
        )


@pytest.mark.parametrize(
    "kind", [errors.DataError, errors.ConfigError, errors.DataNotFoundError, errors.ValidationError]
)
def test_an_error_of_ours_keeps_its_class_and_text(kind):
    text = "flows.csv, row 3: expected a number.\nReceived: 'x' [1, 2]."
    with pytest.raises(errors.CrowdFlowError) as raised:
        run(kind, text)
    assert type(raised.value) is kind
    assert str(raised.value) == text
    assert raised.value.__suppress_context__


def test_an_error_that_a_worker_reported_as_text_is_made_again():
    text = "flows.csv, row 3: expected a number.\nReceived: 'x'."
    in_workers = PipelineOptions(["--direct_running_mode=multi_threading"])
    with pytest.raises(RuntimeError, match="(?s)Traceback.*DataError.*another exception occurred"):
        with beam.Pipeline(LocalRunner(), options=in_workers) as pipeline:
            pipeline | beam.Create([1]) | "Fails" >> beam.Map(fail, errors.DataError, text)
    with pytest.raises(errors.DataError) as raised:
        run(errors.DataError, text, options=in_workers)
    assert str(raised.value) == text


@pytest.mark.parametrize("text", ["disk full", "crowdflow.schema.errors.NoSuchError: text"])
def test_other_errors_pass(text):
    with pytest.raises(RuntimeError, match=text):
        run(RuntimeError, text)


def test_no_error_is_no_error():
    with clear_errors(), beam.Pipeline(LocalRunner()) as pipeline:
        pipeline | beam.Create([1])
