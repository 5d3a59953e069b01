"""The settings in a pushed model's account of itself."""

import json

from crowdflow.config.config import Config
from crowdflow.schema import features
from crowdflow.schema.account import require_format
from crowdflow.schema.errors import ServingError


def levels_of(account: str | bytes) -> tuple[float, ...]:
    """The levels of a model's quantiles, ascending, by its account of itself; none where it has no quantiles."""
    return tuple(json.loads(account).get(features.LEVELS, ()))


def settings_of(account: str | bytes) -> tuple[Config, list[str]]:
    """The settings in a model's account of itself, and its country's holidays.

    Raises:
      ServingError: it is no such text, or they are those of another version of this project.
    """
    try:
        known = json.loads(account)
        require_format(known)
        config = Config.from_dict(Config.sections_of_account(known["config"]))
        return config, known.get(features.HOLIDAYS, [])
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise ServingError(
            f"Expected the model's settings as JSON. Received {account[:200]!r} ({error})."
        ) from None
