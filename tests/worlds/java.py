"""Whether this machine has the Java that some tests need."""

import shutil
import subprocess


def lacking(*programs: str) -> str | None:
    """What is missing of these programs or of Java 17, in words; None if nothing is."""
    for program in programs:
        if not shutil.which(program):
            return f"needs {program} (Java 17 and Maven)"
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    if int(said.split('"')[1].split(".")[0]) < 17:
        return f"needs Java 17, found {said.splitlines()[0]}"
    return None
