"""The kept list of known vulnerabilities is of what is locked: an upgrade takes its line away."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
LINES = [
    line
    for line in (REQUIREMENTS / "vulnerabilities.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize("line", LINES)
def test_a_known_vulnerability_is_of_a_locked_version_and_says_why_it_stays(line):
    identifier, stacks, library, why = (part.strip() for part in line.split("|"))
    assert re.fullmatch(r"(CVE|PYSEC)-\d{4}-\d+|GHSA(-\w{4}){3}", identifier)
    assert re.match(r"(no|yes): \S", why)
    name, version = library.split()
    for stack in stacks.split(", "):
        lock = (REQUIREMENTS / f"{stack}.txt").read_text()
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)} ", lock, re.MULTILINE)


def test_none_is_listed_twice():
    names = [line.rpartition("|")[0] for line in LINES]
    assert len(names) == len(set(names)) > 0
