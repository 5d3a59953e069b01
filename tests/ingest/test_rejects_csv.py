"""`rejects.csv` repeats what files say, and a spreadsheet that opens it must not run it."""

import csv
import io

import pytest

from crowdflow.ingest.counters import rejects_csv
from crowdflow.ingest.tally import Reject, Tally


def written(value: str, file: str = "a.csv") -> list[str]:
    """The fields of a reject, as a program reads them."""
    tally = Tally(rejects=[Reject(file, 7, "unparsable", value)])
    _, row = csv.reader(io.StringIO(rejects_csv(tally)))
    return row


@pytest.mark.parametrize(
    "value",
    ['=cmd|"/C calc"!A0', "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "-", "=1", "--1"],
)
def test_what_a_spreadsheet_takes_for_a_formula_is_a_text(value):
    assert written(value) == ["a.csv", "7", "unparsable", f"'{value}"]
    assert written("x", file=value)[0] == f"'{value}"


def test_a_carriage_return_ends_no_line():
    assert written("a\rb")[3] == "a\\rb"
    assert written("\r=1")[3] == "\\r=1"


@pytest.mark.parametrize("value", ["", "-3", "+0.5", "-1e+40", "-.5", "1=2", "a,b", "2024-13-01"])
def test_numbers_and_other_texts_stay_as_they_are(value):
    assert written(value)[3] == value
