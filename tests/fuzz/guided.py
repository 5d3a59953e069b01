"""Coverage-guided fuzzing of one reader with atheris, where it installs: `make fuzz-guided FILE=trips.csv`.

It starts from the good file that test_readers.py damages, keeps each input that reaches new code, and stops at
the first outcome that is neither frames with an exact account nor one clear message; libFuzzer then writes the
input to a file named `crash-...`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["crowdflow"]):
    from crowdflow.config import Config
    from crowdflow.ingest.history import read_history
    from crowdflow.schema.errors import CrowdFlowError

from worlds.good_files import KINDS, Kind

from tests.fuzz import test_readers as readers

CONFIGURATIONS = ("config.yaml", "config.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", choices=[*KINDS, *CONFIGURATIONS], help="the kind of file")
    parser.add_argument("seconds", type=int, help="how long")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    path, corpus = folder / options.file, folder / "corpus"
    corpus.mkdir()
    if options.file in CONFIGURATIONS:
        readers.config().save(path)
    kind = KINDS.get(options.file) or Kind(path.read_bytes())
    (corpus / options.file).write_bytes(kind.content)
    settings = readers.config(**kind.settings)
    paths = [*readers.write_beside(kind, folder), str(path)]

    def run(damaged: bytes) -> None:
        path.write_bytes(damaged)
        if options.file not in CONFIGURATIONS:
            readers.check(read_history, paths, settings)
            return
        try:
            assert isinstance(Config.load(path), Config)
        except CrowdFlowError as error:
            assert str(error)

    longest = 2 * (corpus / options.file).stat().st_size
    limits = [f"-max_total_time={options.seconds}", f"-max_len={longest}", "-rss_limit_mb=8000"]
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", str(corpus)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
