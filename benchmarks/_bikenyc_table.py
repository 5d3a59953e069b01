"""The table of `bikenyc.py`: one line per setting, over validation parts and seeds, and by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from crowdflow.schema import features

METRIC = "rmse_active_cells"


def table(rows: Sequence[Sequence[Sequence[dict[str, Any]]]], code: str) -> list[dict[str, Any]]:
    """Prints one line per setting, best first, and returns the lines.

    Args:
      rows: runs by setting, part and seed. The mean is over all runs of a setting; the spread is that of the
        seeds, each averaged over the parts.
      code: digest of the current code.
    """

    def scores(parts: Sequence[Sequence[dict[str, Any]]], source: str = "model") -> np.ndarray:
        return np.array([[run["metrics"][source][METRIC] for run in seeds] for seeds in parts])

    lines, first = [], scores(rows[0])
    for parts in rows:
        found, runs = scores(parts), [run for seeds in parts for run in seeds]  # [parts, seeds]
        seeds = found.mean(axis=0)
        lines.append(
            {
                "name": runs[0]["name"],
                "mean": round(float(found.mean()), 3),
                "std": round(float(seeds.std(ddof=1)), 3) if len(seeds) > 1 else None,
                "seeds": np.round(seeds, 3).tolist(),
                "parts": np.round(found.mean(axis=1), 3).tolist(),
                "to_first": np.round((found - first).mean(axis=1), 3).tolist(),
                "epochs": sorted({tuple(run["epochs"]) for run in runs}),
                "minutes": round(sum(run["train_seconds"] for run in runs) / 60 / len(runs), 1),
                "devices": sorted({run["device"] for run in runs}),
                "current": all(run["code"] == code for run in runs),
            }
        )
    naive = [name for name in features.NAIVE_FORECASTS if name in rows[0][0][0]["metrics"]]
    words = (f"{name.replace('_', ' ')} {scores(rows[0], name).mean():.3f}" for name in naive)
    print(f"\n{METRIC}; {', '.join(words)}")
    for line in sorted(lines, key=lambda found: found["mean"]):
        spread = f" +- {line['std']:.3f}" if line["std"] is not None else ""
        several = f", parts {line['parts']}" if len(line["parts"]) > 1 else ""
        against = f", against the first {line['to_first']}" if len(rows) > 1 else ""
        print(
            f"{line['name']:<32} {line['mean']:.3f}{spread:<9} seeds {line['seeds']}{several}{against}, "
            f"epochs {line['epochs']}, {line['minutes']} min a run"
            f"{'' if line['current'] else ' (of other code than the current)'}"
        )
    print("trained on", "; ".join(sorted({device for line in lines for device in line["devices"]})))
    for parts in rows:
        print_steps([run for seeds in parts for run in seeds])
    return lines


def print_steps(runs: Sequence[dict[str, Any]]) -> None:
    """For a setting that forecasts several steps: one line per source, the mean over seeds of each step."""
    count = sum(name.startswith(f"{METRIC}_step_") for name in runs[0]["metrics"]["model"])
    if count:
        print(f"\n{runs[0]['name']}, by step 1 .. {count}")
    for source in runs[0]["metrics"] if count else ():
        found = [
            [run["metrics"][source][f"{METRIC}_step_{step}"] for step in range(1, count + 1)]
            for run in runs
        ]
        print(f"{source:<20}", *(f"{value:7.3f}" for value in np.mean(found, axis=0)))
