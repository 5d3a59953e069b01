"""The SavedModels that the Evaluator compares with."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tensorflow as tf

from crowdflow.config import Config
from crowdflow.evaluation.model_errors import model_errors
from crowdflow.evaluation.naive import best_naive
from crowdflow.evaluation.window_files import parse_windows
from crowdflow.flows.metrics import RMSE_ACTIVE, ErrorSums
from crowdflow.schema import features
from crowdflow.schema.account import format_fault
from crowdflow.schema.errors import ServingError
from crowdflow.schema.intervals import format_start

# What a model that is damaged, foreign or made for other windows raises when it is loaded or asked.
_ITS_OWN = (
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    tf.errors.DataLossError,
    tf.errors.FailedPreconditionError,
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.UnimplementedError,
)
# Settings in which two models must agree to forecast the same flows from the same windows; () is all of a section.
_MUST_AGREE = {
    "grid": (),
    "intervals": (),
    "ingest": ("holidays", "weather", "weather_columns"),
    "windows": ("average", "average_days", "average_decay"),  # other ones have the same shape
}


def best_naive_forecast(batches: Iterable[Sequence[bytes]], shape: Sequence[int]) -> str:
    """The naive forecast with the smallest RMSE on the given windows.

    Args:
      batches: windows as tf.Examples.
      shape: of a target, `[h, H, W, 2]`.
    """
    names = [features.TARGET, *map(features.naive_feature, features.NAIVE_FORECASTS)]
    spec = {name: tf.io.FixedLenFeature(shape, tf.float32) for name in names}
    sums = {source: ErrorSums.zero(shape[0]) for source in features.NAIVE_FORECASTS}
    for batch in (parse_windows(serialized, spec) for serialized in batches):
        for source, summed in sums.items():
            forecast = batch[features.naive_feature(source)]
            summed.add(batch[features.TARGET], forecast, shape[1] * shape[2])
    return best_naive({source: summed.metrics() for source, summed in sums.items()})


def write_naive_model(source: str, shape: Sequence[int], folder: str) -> None:
    """Writes a SavedModel that returns a naive forecast from its windows."""
    name = features.naive_feature(source)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(serialized):
        spec = {name: tf.io.FixedLenFeature(shape, tf.float32)}
        return {features.FLOW: tf.io.parse_example(serialized, spec)[name]}

    signatures = {features.EXAMPLES_SIGNATURE: examples}
    tf.saved_model.save(tf.Module(), folder, signatures=signatures)


def judge(
    folder: Path,
    batches: Iterable[Sequence[bytes]],
    shape: Sequence[int],
    test_start: int,
    config: Config,
) -> float | str:
    """The RMSE of a pushed model on today's windows, or why it cannot be compared on them.

    Args:
      folder: the version, or the approved model in it.
      batches: all test windows as tf.Examples.
      shape: of an answer, `[h, H, W, 2]`.
      test_start: the first test window's target, wall-clock minutes. A model that was trained on any of the
        test period knows the answers.
      config: of today's windows: grid, intervals and ingest.

    A model that cannot be loaded or does not answer is a reason. What happens around it, such as a full disk or
    too little memory, is none, or a candidate would be pushed without the comparison.

    Raises:
      ServingError: the comparison failed for a reason that is not the model's own.
    """
    try:
        path = folder / features.ACCOUNT_FILE
        account = json.loads(path.read_text()) if path.exists() else {}
        unknown = format_fault(account)
        if unknown:
            return unknown
        until = account.get(features.TRAINED_UNTIL, -1)
        if until >= test_start:
            return f"it was trained on targets up to {format_start(until)}, in the test period"
        differs = difference(account.get("config", {}), config)
        if differs:
            return differs
        return model_errors(folder, batches, shape).metrics()[RMSE_ACTIVE]
    except Exception as error:
        if _is_its_own(error):
            return _message(error)
        raise ServingError(
            f"{folder}: expected to compare this pushed model with the new one. {_message(error)}. Nothing is "
            "pushed without the comparison: repeat the run once this is mended, or move the version out of the "
            "folder."
        ) from error


@contextlib.contextmanager
def own_faults(kind: type[Exception]) -> Iterator[None]:
    """Raises `kind` with a message for what a model that is damaged, foreign or made for other windows raises."""
    try:
        yield
    except Exception as error:
        if not _is_its_own(error):
            raise
        raise kind(_message(error)) from error


def _message(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    message = next((line for line in lines if "assertion failed" in line), lines[0])
    return f"{type(error).__name__}: {message}"[:300]


def _is_its_own(error: Exception) -> bool:
    """Whether a model's own state led to an error; without a SavedModel it is an OSError without a number."""
    return isinstance(error, _ITS_OWN) or (isinstance(error, OSError) and error.errno is None)


def difference(
    settings: dict, config: Config, sections: Iterable[str] = tuple(_MUST_AGREE)
) -> str | None:
    """The first setting in which a model's flows differ from today's windows, or None.

    Args:
      settings: of the model's account; where they are empty, nothing differs.
      config: of today's windows.
      sections: those that are compared.
    """
    if not settings:
        return None
    own = Config.from_sections(Config.sections_of_account(settings)).to_dict()
    today = config.to_dict()
    for section in sections:
        for name in _MUST_AGREE[section] or today[section]:
            if own[section][name] != today[section][name]:
                return f"its {section}.{name} is {own[section][name]}, here it is {today[section][name]}"
    return None
