"""Guesses the roles of the columns of a table that has no known layout, by their names and values."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Optional

from crowdflow.ingest.times.spellings import SPELLINGS
from crowdflow.ingest.trips.trip_layouts import (
    DURATION,
    POINT_ID,
    POINT_LAT,
    POINT_LON,
    POINT_ROLES,
    POINT_TIME,
    START_TIME,
)

# Words of column names in English, then in Spanish, Portuguese, French, Italian and German, without accents.
_SIDES = {
    "start": r"start|begin|pick|\bpu\b|\bfrom\b|\borig|depart|\bstrt\b|check.?out|unlock"
    r"|inici|inizio|retir|salida|saida|debut|partenza|abfahrt|ausleih",
    "end": r"\bend|stop|drop|\bdo\b|\bto\b|\bdest|arriv|check.?in|return|(?<!un)lock"
    r"|\bfi[nm]e?\b|arrib|llegada|chegada|devol|ankunft|rueckgabe|ruckgabe",
}
_KINDS = {
    "lat": r"\blat\b|latitud|breitengrad|\by\b",
    "lon": r"\b(?:lon|lng|long)\b|longitud|langengrad|\bx\b",
    "place": r"station|terminal|zone|location|kiosk|dock|\bhub\b|estaci|estaca|stazion|haltestelle"
    r"|geom|coord|position|\bpoint\b|\b(?:orig|dest)\w* id\b",
}
_TIME = r"time|date|\bat\b|fecha|hora|datum|zeit|heure"
_LASTS = r"durat|durac|duree|dauer|trip ?time|elapsed"
_UNITS = {"ms": r"\bms\b|milli", "min": r"\bmin"}
_ID = r"\bid\b|number|code|terminal|codigo|numer"
_TRACE = r"\bid\b|trace|trajector|vehicle|taxi|user|device"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[ap]\.?m\.?)?"
# Counts since 1970: any number could be one, so the name must say that it is a time.
_NUMBERS = SPELLINGS[-1]


def spelling_of(values: Sequence[str], name: str = "time") -> Optional[str]:
    """The spelling of times, or None if they are none.

    Args:
      values: the first texts of a column.
      name: of the column.
    """
    for spelling in SPELLINGS:
        if spelling is _NUMBERS and not re.search(_TIME, _plain(name)):
            continue
        if values and all(re.fullmatch(spelling.pattern, value.strip()) for value in values):
            return spelling.name
    return None


def is_date_alone(values: Sequence[str]) -> bool:
    """Whether texts are dates without a time of day."""
    found = spelling_of(values, "")
    return found is not None and not any(":" in value for value in values)


def guess_roles(columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Guesses which columns hold a trip's, or a point's, times and positions or places.

    Args:
      columns: the first values of each column, by name.

    Returns:
      Column by role: of starts, of ends or of both, or `POINT_ROLES`; empty if it is none of them.
    """
    times = [name for name, values in columns.items() if spelling_of(values, name)]
    others = [name for name in columns if name not in times]
    clocks = [name for name in others if _are_clocks(name, columns[name])]
    found: dict[str, str] = {}
    for side in _SIDES:
        mine, when = ([n for n in names if _side(n) == side] for names in (clocks, times))
        dates = [n for n in when or times if is_date_alone(columns[n]) and _side(n) in (side, None)]
        if mine and dates:
            found |= {f"{side}_date": dates[0], f"{side}_time": mine[0]}
        else:
            _note(found, f"{side}_time", when)
        for kind in _KINDS:
            _note(
                found,
                f"{side}_{kind}",
                [n for n in others if _side(n) == side and _kind(n) == kind],
            )
    _note(found, DURATION, [n for n in others if re.search(_LASTS, _plain(n))])
    roles = {role: found[role] for side in _SIDES for role in _complete(side, found)}
    if roles or any(role != DURATION for role in found):
        return roles
    point = {
        POINT_TIME: times,
        POINT_LAT: [n for n in others if _kind(n) == "lat"],
        POINT_LON: [n for n in others if _kind(n) == "lon"],
    }
    if not all(point.values()):
        return {}
    traces = [n for n in others if re.search(_TRACE, _plain(n))]
    if traces:
        return {POINT_ID: traces[0], **{role: names[0] for role, names in point.items()}}
    return {f"start_{role.removeprefix('point_')}": names[0] for role, names in point.items()}


def _complete(side: str, found: Mapping[str, str]) -> list[str]:
    """The roles of a start or an end, if all that it needs is there: its time, and its position or place."""
    time, duration = f"{side}_time", side == "end" and {DURATION, START_TIME} <= set(found)
    when = [role for role in (f"{side}_date", time) if role in found]
    when = when or [DURATION] * duration
    where = [role for role in (f"{side}_lat", f"{side}_lon") if role in found]
    if len(where) < 2:
        where = [role for role in (f"{side}_place",) if role in found]
    return [*when, *where] if when and where else []


def settings_of(roles: Mapping[str, str]) -> dict[str, str]:
    """The settings that name the columns of guessed roles; none if there are no roles."""
    if not roles:
        return {}
    layout = "trajectories" if set(roles) == set(POINT_ROLES) else "columns"
    found = {"trips.layout": layout, **{f"trips.{role}": name for role, name in roles.items()}}
    for unit, pattern in _UNITS.items():
        if re.search(pattern, _plain(roles.get(DURATION, ""))):
            found["trips.duration_unit"] = unit
    return found


def _note(found: dict[str, str], role: str, names: Sequence[str]) -> None:
    """Takes the first name that looks like an id, or else the first."""
    if names:
        ids = [name for name in names if re.search(_ID, _plain(name))]
        found[role] = (ids if role.endswith("place") and ids else names)[0]


def _are_clocks(name: str, values: Sequence[str]) -> bool:
    """Whether a column has times of day, and not durations."""
    clocks = all(re.fullmatch(_CLOCK, value.strip(), re.IGNORECASE) for value in values)
    return bool(values) and clocks and not re.search(_LASTS, _plain(name))


def _side(name: str) -> Optional[str]:
    found = {side: re.search(pattern, _plain(name)) for side, pattern in _SIDES.items()}
    first = {side: match.start() for side, match in found.items() if match}
    return min(first, key=first.get) if first else None


def _kind(name: str) -> Optional[str]:
    plain = _plain(name)
    return next((kind for kind, pattern in _KINDS.items() if re.search(pattern, plain)), None)


def _plain(name: str) -> str:
    """Words in lower case without accents, spaces between them: `startLat` and `Start_Lat` are `start lat`."""
    name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9#]+", " ", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()).strip()
