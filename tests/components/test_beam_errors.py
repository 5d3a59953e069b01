"""Our errors come out of a real pipeline as themselves; other people's stay as they are."""

import apache_beam as beam
import pytest

from components import errors
from components.beam_errors import clear_errors


def fail(_, kind, text):
    raise kind(text)


def run(kind, text, **options):
    with clear_errors(), beam.Pipeline(**options) as pipeline:
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


def test_an_error_that_a_runner_turned_into_text_is_made_again():
    reported = (
        'Traceback (most recent call last):\n  File "beam.py", line 1, in process\n'
        "components.errors.DataError: flows.csv, row 3: expected a number.\n"
        "Received: 'x'. [while running 'A/B'] [while running 'C']\n"
    )
    with pytest.raises(errors.DataError) as raised, clear_errors():
        raise RuntimeError(reported)
    assert str(raised.value) == "flows.csv, row 3: expected a number.\nReceived: 'x'."


@pytest.mark.parametrize("text", ["disk full", "components.errors.NoSuchError: text"])
def test_other_errors_pass(text):
    with pytest.raises(RuntimeError, match=text):
        run(RuntimeError, text)


def test_no_error_is_no_error():
    with clear_errors(), beam.Pipeline() as pipeline:
        pipeline | beam.Create([1])
