"""Where the time of a run on Kubeflow goes: seconds of `crowdflow compile` and of every step of `tiny-city`.

    taskset -c 0 python benchmarks/kubeflow_steps.py --output after.json
    taskset -c 0 python benchmarks/kubeflow_steps.py --against before.json

The compiled spec is executed by tests/kfp_local, one step after the other, each in a process of its own that
starts from nothing, as in its container. A step's seconds have everything between its start and the next one's;
those of its processors, which a busy machine changes less, stand beside them. `--against` prints the ratio to an
earlier run's file, of another commit, say. The last line is JSON.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from kfp_local import Cluster  # noqa: E402

from crowdflow.pipeline.kubeflow.executor_input import ROOT_VARIABLE  # noqa: E402
from crowdflow.simulation.files import CitySpec, ensure_city  # noqa: E402

COMPILE = "compile"


class Clock:
    """Seconds of wall-clock time and of processors, of the child processes between two marks, by name."""

    def __init__(self):
        self.seconds: dict[str, list[float]] = {}
        self._name, self._since = None, self._now()

    def mark(self, name: str | None) -> None:
        """Ends what is running, and begins `name`."""
        now = self._now()
        if self._name:
            self.seconds[self._name] = [round(b - a, 2) for a, b in zip(self._since, now)]
        self._name, self._since = name, now

    @staticmethod
    def _now() -> tuple[float, float]:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), used.ru_utime + used.ru_stime


def execute(folder: Path) -> dict[str, list[float]]:
    """Compiles and runs the city's pipeline; seconds and seconds of processors by step."""
    clock, volume, spec = Clock(), folder / "volume", folder / "pipeline.yaml"
    ensure_city(volume / "flows", CitySpec())
    command = [Path(sys.executable).with_name("crowdflow"), "compile", "--target", "kubeflow"]
    command += ["--preset", "tiny-city", "--image", "crowdflow:0.1.0", "--output", spec]
    command += ["--volume", f"crowdflow:{volume}", "--data", volume / "flows"]
    clock.mark(COMPILE)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    clock.mark(None)
    Cluster(folder / "cluster", ROOT_VARIABLE).run(spec, follow=lambda task, *_: clock.mark(task))
    clock.mark(None)
    return clock.seconds


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="JSON file to write.")
@click.option("--against", type=click.Path(path_type=Path), help="An earlier run's file.")
def main(output: Path | None, against: Path | None) -> None:
    """Prints the seconds of every step."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = execute(Path(folder))
    steps = [both for name, both in seconds.items() if name != COMPILE]
    seconds["all steps"] = [round(sum(column), 2) for column in zip(*steps)]
    before = json.loads(against.read_text()) if against else {}
    for name, (wall, used) in seconds.items():
        line = f"{name:<18} {wall:7.1f} s {used:7.1f} s of processors"
        if name in before:
            line += "   before {:7.1f} s {:7.1f} s".format(*before[name])
            line += f"   ratio {wall / before[name][0]:.2f} {used / before[name][1]:.2f}"
        print(line)
    text = json.dumps(seconds)
    if output:
        output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
