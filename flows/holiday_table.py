"""Public holidays by country and subdivision, as the table of dates that is saved in a model."""

import datetime as dt
import warnings

from crowdflow.config import TransformConfig
from crowdflow.schema.errors import ConfigError
from crowdflow.schema.intervals import minutes_to_date

FIRST_DATE = minutes_to_date(0)  # the earliest date in wall-clock minutes
# The error message of a model with a holiday table for a later time.
PAST_TABLE = (
    "target_time is past {}, the last date of the table of holidays in the model: set "
    "transform.holidays_until to a later date and train again"
)


def countries() -> dict[str, list[str]]:
    """The codes of the countries that the `holidays` package knows, each with those of its subdivisions."""
    import holidays

    return holidays.list_supported_countries(include_aliases=True)


def holiday_dates(config: TransformConfig) -> list[str]:
    """The public holidays in the `holidays` package, including those observed on another day.

    Args:
      config: for the country, subdivision and last date.

    Returns:
      Dates YYYY-MM-DD in order, from `FIRST_DATE` to `holidays_until`; empty without a country. They depend
      on the version of the package, so caches of what is made from them are keyed by the dates themselves.

    Raises:
      ConfigError: the package does not know the country or subdivision.
    """
    country, subdivision = config.holiday_country, config.holiday_subdivision
    if country is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package announces changes in coming versions
        import holidays

        last = dt.date.fromisoformat(config.holidays_until)
        known = countries()
        if country not in known:
            _refuse("country", f"one of {', '.join(sorted(known))}", country)
        if subdivision is not None and subdivision not in known[country]:
            expected = f"null, or one of {', '.join(known[country])}, in {country}"
            _refuse("subdivision", expected, subdivision)
        years = range(FIRST_DATE.year, last.year + 1)
        found = holidays.country_holidays(country, subdiv=subdivision, years=years)
    return [str(date) for date in sorted(found) if date <= last]


def _refuse(field: str, expected: str, received: str) -> None:
    raise ConfigError(f"transform.holiday_{field}: expected {expected}. Received: {received!r}.")
