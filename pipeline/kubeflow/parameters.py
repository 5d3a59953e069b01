"""The parameters of a run on Kubeflow Pipelines, and how a step inserts them into its node's settings.

A node's settings are JSON inside its own parameters. TFX cannot insert a runtime parameter there, so the spec
passes the value to the step as a separate parameter, and the step's entry point inserts it.
"""

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from crowdflow.config import Config
from crowdflow.config.checks import require_date, require_no_user
from crowdflow.config.kubeflow_settings import TRAINERS
from crowdflow.pipeline.kubeflow.spec import Parameter
from crowdflow.schema.errors import ConfigError
from crowdflow.storage.addresses import is_address

DATA, TRAINING, NAIVE_MARGIN, PUSHED_TOLERANCE, LAST_DATE = (
    "data",
    "training",
    "naive_margin",
    "pushed_tolerance",
    "last_date",
)
# Kubeflow replaces the macro, in a scheduled run, by the day for which the run is scheduled.
SCHEDULED_DAY = "before [[ScheduledTime.2006-01-02]]"
_BEFORE = re.compile(r"before\s+(\S+)")
_REPORT = "FlowReportGen"
_THRESHOLDS = (NAIVE_MARGIN, PUSHED_TOLERANCE)

# Parameters of nodes: FlowExampleGen's inputs, the Evaluator's thresholds, and those that hold settings.
PATHS, EVAL_CONFIG, CONFIG, CUSTOM_CONFIG = "paths", "eval_config", "config", "custom_config"


def parameters(config: Config, data: Sequence[str]) -> dict[str, Parameter]:
    """The parameters of the pipeline, with the configuration's values as defaults.

    Args:
      config: the configuration to compile.
      data: locations of the input.
    """
    training = json.dumps(config.to_dict()["training"], sort_keys=True)
    last_date = config.range.last_date if config.range.weeks else config.split.until
    dated = ("FlowExampleGen",) if config.range.weeks else ("WindowGen", *TRAINERS)
    rules = config.evaluation

    def threshold(name: str, description: str, *more: str) -> Parameter:
        readers = dict.fromkeys(("Evaluator", *more, _REPORT), name)
        return Parameter("NUMBER_DOUBLE", getattr(rules, name), readers, description)

    return {
        DATA: Parameter(
            "STRING",
            json.dumps(list(data)),
            {"FlowExampleGen": PATHS, _REPORT: DATA},
            "Input files and folders: one path or s3:// or gs:// address, or a JSON list of them.",
        ),
        TRAINING: Parameter(
            "STRING",
            training,
            dict.fromkeys((*TRAINERS, _REPORT), TRAINING),
            "Training settings as a JSON object; what it leaves out stays as compiled.",
        ),
        LAST_DATE: Parameter(
            "STRING",
            last_date or "",
            dict.fromkeys((*dated, _REPORT), LAST_DATE),
            "Last day of the data that is used, YYYY-MM-DD, or `before YYYY-MM-DD`; empty is the newest.",
        ),
        NAIVE_MARGIN: threshold(
            NAIVE_MARGIN,
            "The model's RMSE must be below (1 - this) times the best naive forecast's.",
        ),
        PUSHED_TOLERANCE: threshold(
            PUSHED_TOLERANCE,
            "The model's RMSE may be at most (1 + this) times that of the best of the last pushed models.",
            "Refit",
        ),
    }


def locations(text: str) -> list[str]:
    """The paths of the parameter `data`: one path, or a JSON list of them.

    Raises:
      ConfigError: it is empty, begins like a list but is not a JSON list of texts, or has an address other than
        `s3://` and `gs://`, or one with a user.
    """
    found: Any = [text.strip()]
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = []
    if not (found and all(isinstance(path, str) and path for path in found)):
        raise ConfigError(
            f"{DATA}: expected one path or a JSON list of paths, such as "
            f'["/mnt/crowdflow/flows"]. Received: {text!r}.'
        )
    if any("://" in path and not is_address(path) for path in found):
        raise ConfigError(
            f"{DATA}: expected paths on a volume of the steps, or s3:// or gs://. Received: {text!r}."
        )
    for path in found:
        require_no_user(DATA, path)
    return found


def last_date_of(text: str) -> str | None:
    """The date of the parameter `last_date`: its own, or the one before it; None where it is empty.

    Raises:
      ConfigError: it is none of these.
    """
    text = text.strip()
    if "[[" in text:
        raise ConfigError(
            f"{LAST_DATE}: expected a date. Received: {text!r}, which this Kubeflow did not replace by the "
            "scheduled day. Schedule without --scheduled-day, or use another version."
        )
    before = _BEFORE.fullmatch(text)
    date = before[1] if before else text
    require_date(LAST_DATE, date or None)
    if before:
        return str(dt.date.fromisoformat(date) - dt.timedelta(days=1))
    return date or None


def apply_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """A node's own parameters with the pipeline's inserted into them.

    Args:
      given: what the step received: the node's parameters, and the pipeline's by their names.

    Raises:
      ConfigError: a parameter of the pipeline is invalid.
    """
    values = dict(given)
    inserted = {}
    for name in (DATA, TRAINING, LAST_DATE, *_THRESHOLDS):
        if name in values:
            inserted[name] = values.pop(name)
    if PATHS in values:
        values[PATHS] = json.dumps(sorted(set(locations(values[PATHS]))))
    if not inserted:
        return values
    if CONFIG in values:
        values[CONFIG] = _with_settings(values[CONFIG], inserted)
    if CUSTOM_CONFIG in values:
        custom = json.loads(values[CUSTOM_CONFIG])
        custom[CONFIG] = _with_settings(custom[CONFIG], inserted)
        values[CUSTOM_CONFIG] = json.dumps(custom, sort_keys=True)
    if EVAL_CONFIG in values:
        from crowdflow.evaluation.thresholds import with_thresholds

        _evaluation(inserted)
        values[EVAL_CONFIG] = with_thresholds(
            values[EVAL_CONFIG], inserted[NAIVE_MARGIN], inserted[PUSHED_TOLERANCE]
        )
    return values


def _with_settings(text: str, inserted: Mapping[str, Any]) -> str:
    """Sections of a configuration with the pipeline's parameters inserted, checked; no section is added."""
    sections = json.loads(text)
    if TRAINING in inserted and TRAINING in sections:
        sections[TRAINING] |= _training(inserted[TRAINING])
    if "evaluation" in sections:
        sections["evaluation"] |= _evaluation(inserted)
    if date := last_date_of(inserted.get(LAST_DATE, "")):
        if sections.get("range", {}).get("weeks"):
            sections["range"]["last_date"] = date
        elif "split" in sections:
            sections["split"]["until"] = date
    if DATA in inserted and "paths" in sections:
        sections["paths"]["data"] = locations(inserted[DATA])
    Config.from_sections(sections)
    return json.dumps(sections, sort_keys=True)


def _training(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(
            f'{TRAINING}: expected a JSON object of training settings, such as {{"epochs": 20}}. '
            f"Received: {text!r}."
        )
    return values


def _evaluation(inserted: Mapping[str, Any]) -> dict[str, float]:
    values = {name: inserted[name] for name in _THRESHOLDS if name in inserted}
    Config.from_sections({"evaluation": values})
    return values
