"""Bytes that are no text, and types that are no numbers, in files of records: rejects, or one message."""

import time

import h5py
import numpy as np
import pyarrow as pa
import pytest
from worlds.good_files import GRID, KINDS, RECORDS

from crowdflow.config import Config
from crowdflow.ingest.covariates.weather_files import read_meteorology
from crowdflow.ingest.history import read_history
from crowdflow.ingest.records import raw_lines, table_reader
from crowdflow.schema.errors import DataError

CONFIG = Config().replace({"grid.rows": 2, "grid.cols": 2, "ingest.max_reject_share": 1.0})


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", RECORDS), ("a.grid", GRID)], ids=["csv", "grid"]
)
def test_a_line_in_another_encoding_is_a_reject(tmp_path, capfd, name, text):
    lines = text.encode().splitlines(keepends=True)
    lines[5] = lines[5].rstrip(b"\n") + b",1,\xff\xa5\n"  # too many fields
    lines[7] = lines[7][:-2] + b"\xe9\n"
    lines[-1] = lines[-1].rstrip(b"\n") + b"\xc3"  # and a letter that the file's end cuts
    path = tmp_path / name
    path.write_bytes(b"".join(lines))
    found = read_history([str(path)], CONFIG).counters
    assert found["records_read"] == len(lines) - 1
    assert found["rejected"]["unparsable"] == 3
    assert capfd.readouterr().err == ""


def test_a_type_of_hdf5_that_numpy_does_not_have(tmp_path):
    path = tmp_path / "weather.h5"
    path.write_bytes(KINDS["weather.h5"].content)
    with h5py.File(path, "r+") as file:
        kind = h5py.h5t.IEEE_F64LE.copy()
        kind.set_size(16)
        kind.set_precision(128)
        kind.set_fields(127, 112, 15, 0, 112)  # of four words, as some machines have them
        kind.set_ebias(16383)
        del file["WindSpeed"]
        space = h5py.h5s.create_simple((48,))
        h5py.h5d.create(file.id, b"WindSpeed", kind, space)
    with h5py.File(path) as file, pytest.raises(ValueError):
        np.issubdtype(file["WindSpeed"].dtype, np.number)  # the file shows the fault
    with pytest.raises(DataError, match="data set WindSpeed: expected numbers, received Insuff"):
        read_meteorology([str(path)], 60, None)


def test_an_encoding_of_texts_that_hdf5_does_not_have(tmp_path):
    path, content = tmp_path / "flows.h5", KINDS["flows.h5"].content
    slots = b"\x13\x01\x00\x00\x0a\x00\x00\x00"  # the type of `date`: texts of 10 bytes
    assert content.count(slots) == 1
    path.write_bytes(content.replace(slots, slots[:1] + b"\x41" + slots[2:]))
    with h5py.File(path) as file, pytest.raises(TypeError):
        file["date"][:]  # the file shows the fault
    with pytest.raises(DataError, match="flows.h5: expected a whole HDF5 file, but it cannot be"):
        read_history([str(path)], CONFIG)


@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", RECORDS), ("a.grid", GRID)], ids=["csv", "grid"]
)
def test_a_header_with_a_nul(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text.replace("flow", "fl\0w", 1))
    with pytest.raises(DataError, match=f"{name}: (cannot be read as CSV|expected the columns)"):
        read_history([str(path)], CONFIG)


def test_malformed_lines_that_are_read_meanwhile_are_counted(tmp_path, monkeypatch):
    """Arrow reads the next block while one is handed on; both take their time here."""
    monkeypatch.setattr(raw_lines, "BLOCK_BYTES", 4000)
    as_utf8 = raw_lines.as_utf8

    def slowly(stream):
        return pa.TransformInputStream(
            as_utf8(stream), lambda block: time.sleep(0.01) or block.to_pybytes()
        )

    monkeypatch.setattr(raw_lines, "as_utf8", slowly)
    header, row = "interval_start,row,col,inflow,outflow", "2024-04-01 {:02}:00,0,0,1,2{}"
    lines = [row.format(n % 24, ",9" if n % 50 == 7 else "") for n in range(2000)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    found = []
    for _, tally in table_reader.read_csv(str(path), 0, 0, 1, CONFIG):
        time.sleep(0.02)
        found += [reject.row for reject in tally.rejects]
    assert sorted(found) == [n + 2 for n in range(2000) if n % 50 == 7]
