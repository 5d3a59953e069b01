"""The live record: the last pushed model's forecasts of the days since its push, against what came."""

import dataclasses
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tfx import types

from crowdflow.components.last_pushed_model import models
from crowdflow.components.last_pushed_model.known import Known, read_known
from crowdflow.config import Config
from crowdflow.config.account import levels_of, settings_of
from crowdflow.evaluation import live
from crowdflow.evaluation.score import MODEL, NO_RECORD, SCORED, Forecasts, score
from crowdflow.flows.metrics import RMSE_ACTIVE
from crowdflow.flows.usual import holiday_days
from crowdflow.flows.windows import missing_lags
from crowdflow.schema import features
from crowdflow.schema.account import format_fault
from crowdflow.schema.features import FLOW, QUANTILES
from crowdflow.schema.intervals import MINUTES_PER_DAY, minutes_to_date
from crowdflow.storage import live_file, versions
from crowdflow.storage.files import fetched_folder
from crowdflow.storage.map_store import MapStore
from crowdflow.storage.store_path import AnyPath
from crowdflow.trainer.inputs import inputs_of

log = logging.getLogger("crowdflow.live")

NO_COVARIATES = "no window with the interval's weather and holidays"
_BATCH = 64  # windows per request
_MUST_AGREE = ("grid", "intervals", "ingest")
Asked = dict[int, tuple[Forecasts, list[tuple[int, str]]]]


class ModelFault(Exception):
    """A model that cannot be asked, for a reason of its own."""


@dataclasses.dataclass(frozen=True)
class Model:
    """A model that can be asked.

    Attributes:
      folder: of the SavedModel, on this machine.
      config: its settings.
      holidays: of its country's table, days since 1970-01-01.
      until: the day of the last interval of its training, since 1970-01-01.
      levels: of its quantiles.
    """

    folder: Path
    config: Config
    holidays: np.ndarray
    until: int
    levels: tuple[float, ...]

    def ask(self, days: Sequence[int], known: Known) -> Asked:
        """Its own forecasts at every interval of some days, each from the frames before.

        Returns:
          By day the forecasts that can be made, and the origins of the others with the reason.

        Raises:
          ModelFault: it cannot be loaded or does not answer.
        """
        starts, windows = known.frames.starts, self.config.windows
        minutes, found = self.config.intervals.minutes, {}
        with tf.Graph().as_default(), _session() as session:
            with models.own_faults(ModelFault):
                # As a graph: building every function of an ensemble anew would take twice as long.
                loaded = tf.compat.v1.saved_model.load(
                    session, [tf.saved_model.SERVING], str(self.folder)
                )
                signature = loaded.signature_def[features.DENSE_SIGNATURE]
                names = [FLOW, *([QUANTILES] if self.levels else [])]
                outputs = {name: signature.outputs[name].name for name in names}

            def answer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
                feed = {signature.inputs[name].name: values for name, values in inputs.items()}
                return session.run(outputs, feed)

            for day in days:
                origins = np.arange(day * MINUTES_PER_DAY, (day + 1) * MINUTES_PER_DAY, minutes)
                missing = missing_lags(starts, origins, windows, minutes)
                lost = [(at, label) for at, label, _ in missing]
                made = np.setdiff1d(origins, [at for at, _ in lost])
                there = known.has(made)
                for at in made[~there].tolist():
                    lost.append((at, NO_COVARIATES if at in starts else NO_RECORD))
                found[day] = self._forecasts(answer, made[there], known), lost
        return found

    def _forecasts(
        self, answer: Callable[[dict], dict[str, np.ndarray]], origins: np.ndarray, known: Known
    ) -> Forecasts:
        starts, maps = known.frames.starts, known.frames.maps
        days_off = known.holidays(self.holidays)
        shape = 0, self.config.windows.horizon, *maps.shape[1:]
        parts = [{FLOW: np.zeros(shape), QUANTILES: np.zeros((*shape, len(self.levels)))}]
        for first in range(0, len(origins), _BATCH):
            part = origins[first : first + _BATCH]
            inputs = inputs_of(starts, maps, part, known.of(part), days_off, self.config)
            with models.own_faults(ModelFault):
                parts.append(answer(inputs))
        flows = np.concatenate([part[FLOW] for part in parts])
        quantiles = np.concatenate([part[QUANTILES] for part in parts]) if self.levels else None
        return Forecasts(origins, flows, quantiles, self.levels)


def _session() -> tf.compat.v1.Session:
    """A session for a few windows, for which a graph need not be optimised."""
    settings = tf.compat.v1.ConfigProto()
    settings.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.compat.v1.Session(config=settings)


def open_model(folder: Path, config: Config) -> Model:
    """Opens a pushed model or the candidate, without loading it.

    Raises:
      ModelFault: it cannot forecast what is recorded now: its grid, intervals or covariates are others, or it
        does not tell.
    """
    with models.own_faults(ModelFault):
        path = folder / features.ACCOUNT_FILE
        account = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        fault = format_fault(account)
        if not fault and not {"config", features.TRAINED_UNTIL} <= account.keys():
            fault = "it does not tell its settings, or until when it was trained"
        fault = fault or models.difference(account["config"], config, _MUST_AGREE)
        if not fault:
            text = json.dumps(account)
            own, dates = settings_of(text)
            until = account[features.TRAINED_UNTIL] // MINUTES_PER_DAY
            return Model(folder, own, holiday_days(dates), until, levels_of(text))
    raise ModelFault(fault)


def record(
    serving: AnyPath, candidate: Path, windows: types.Artifact, config: Config
) -> tuple[dict[str, Any], str]:
    """Scores the last pushed model on the days since its push, and adds them to the record in the serving folder.

    The days are those after the last one that it was trained on or approved with; none of a model that cannot
    forecast what is recorded now. The candidate is compared on those that it has not seen either.

    Args:
      serving: folder of the versions.
      candidate: the Trainer's model; pushed copies of it do not count.
      windows: WindowGen's output.
      config: of the run: grid, intervals, ingest and evaluation.

    Returns:
      The content of `live.json` in the node's output: `version`, `skipped` (why it is not scored), `days` (its
      lines), `record` (all lines), `verdict` and `candidate` (see `_compare`). And why the candidate is held back,
      or nothing.

    Raises:
      ServingError: the record cannot be read.
    """
    now = live_file.read(serving)
    found = {"version": None, "skipped": None, "days": [], "candidate": None, "verdict": None}
    pushed = list(versions.pushed_before(serving, versions.model_digest(candidate)))[:1]
    if not pushed:
        return found | {"skipped": "no pushed model to score", "record": now["days"]}, ""
    made, compared, fault, name = [], None, None, pushed[0].name
    try:
        with fetched_folder(pushed[0]) as copy:
            served = open_model(copy, config)
            made, compared = _score(served, name, now, candidate, windows, config)
    except ModelFault as error:
        fault = str(error)
        log.warning("version %s is not scored: %s", name, fault)
    if made:
        now = live_file.update(serving, lambda now: now | {"days": live.add(now["days"], made)})
    dates = {line["day"] for line in made}
    found = {
        "version": name,
        "skipped": fault,
        "days": [d for d in now["days"] if d["version"] == name and d["day"] in dates],
        "record": now["days"],
        "verdict": live.verdict(now["days"], name, config.evaluation.live_slack),
        "candidate": compared,
    }
    return found, _held_back(found, config)


def _score(
    served: Model,
    name: str,
    now: live_file.Record,
    candidate: Path,
    windows: types.Artifact,
    config: Config,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """The lines of the days that have none yet or may become fuller, and the candidate's comparison."""
    push = now["pushes"].get(name, {})
    first = max(served.until, push.get("until", 0) // MINUTES_PER_DAY) + 1
    store = MapStore(os.path.join(windows.uri, features.FRAMES_FOLDER))
    days = range(first, int(store.starts[-1]) // MINUTES_PER_DAY + 1)
    mine = [line for line in now["days"] if line["version"] == name and not line["gap"]]
    done = {line["day"] for line in mine if line[SCORED] == line["due"]}
    try:
        rival: Model | None = open_model(candidate, config)
    except ModelFault:
        rival = None
    unseen = [day for day in days if rival and day > rival.until]
    wanted = [day for day in days if day in unseen or _date(day) not in done]
    if not wanted:
        return [], None
    known = read_known(windows, config)
    asked = served.ask(wanted, known)
    made = [
        live.day_line(day, name, *asked[day], known.frames, served.config, served.holidays)
        | {"promise": push.get("promise")}
        for day in wanted
    ]
    whole = [day for day, line in zip(wanted, made) if day in unseen and not line["gap"]]
    return made, _compare(served, asked, rival, whole, known) if whole else None


def _compare(
    served: Model, asked: Asked, rival: Model, days: Sequence[int], known: Known
) -> dict[str, Any] | None:
    """The candidate's RMSE and the served model's on days that neither has seen, at the same intervals."""
    both = [[asked[day][0] for day in days], [f for f, _ in rival.ask(days, known).values()]]
    origins = [np.concatenate([part.origins for part in parts]) for parts in both]
    common = np.intersect1d(*origins)
    if not len(common):
        return None
    errors = []
    for model, parts, at in zip((served, rival), both, origins):
        flows = np.concatenate([part.flows for part in parts])[np.isin(at, common)]
        minutes = model.config.intervals.minutes
        found = score(Forecasts(common, flows), known.frames, minutes, served.holidays)
        errors.append(found["metrics"][MODEL][RMSE_ACTIVE])
    return {
        "first": _date(days[0]),
        "last": _date(days[-1]),
        "rmse": errors[1],
        "served_rmse": errors[0],
        "newer_days": served.until - rival.until,
    }


def _held_back(found: dict[str, Any], config: Config) -> str:
    """Why the candidate is held back, or nothing; `evaluation.live_tolerance` decides."""
    compared, tolerance = found["candidate"], config.evaluation.live_tolerance
    if compared is None or tolerance is None or config.evaluation.push_unblessed:
        return ""
    limit = (1 + tolerance) * compared["served_rmse"]
    if compared["rmse"] <= limit:
        return ""
    return (
        f"on {compared['first']} to {compared['last']}, which neither has seen, its RMSE {compared['rmse']:.4f} "
        f"is above {limit:.4f} = {1 + tolerance:g} x {compared['served_rmse']:.4f} of version {found['version']}"
    )


def _date(day: int) -> str:
    return str(minutes_to_date(day * MINUTES_PER_DAY))
