"""Outward actions against the rows of `then` and `suppressed`: exactly, in order per lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.facts import iso
from streams.simulation.happened import Action, Difference, short
from streams.simulation.scenario_reading import Expected


def actions(part: str, expected: list[Expected] | None, got: Sequence[Action]) -> list[Difference]:
    """Each lead whose actions are not those expected; None expects nothing."""
    if expected is None:
        return []
    leads = dict.fromkeys([*(row.lead for row in expected), *(action.lead for action in got)])
    found = []
    for lead in leads:
        wanted = [row for row in expected if row.lead == lead]
        actual = [action for action in got if action.lead == lead]
        lines, same = _aligned(wanted, actual)
        if not same:
            found.append(Difference(part, [f"{part}, lead {lead}:", *lines]))
    return found


def _aligned(wanted: list[Expected], actual: list[Action]) -> tuple[list[str], bool]:
    """Both sequences side by side: the longest common one, what is missing, what is too much."""
    width = len(actual)
    best = [[0] * (width + 1) for _ in range(len(wanted) + 1)]
    for i in range(len(wanted) - 1, -1, -1):
        for j in range(width - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if _is(wanted[i], actual[j]):
                best[i][j] = max(best[i][j], 1 + best[i + 1][j + 1])
    lines: list[str] = []
    same = True
    i = j = 0
    while i < len(wanted) or j < width:
        both = i < len(wanted) and j < width
        if both and _is(wanted[i], actual[j]) and best[i][j] == 1 + best[i + 1][j + 1]:
            lines.append(f"    {actual[j]}")
            i, j = i + 1, j + 1
        elif j == width or (
            i < len(wanted) and _first(wanted[i], actual[j], best[i + 1][j] - best[i][j + 1])
        ):
            lines.append(f"  - {_written(wanted[i])}   expected, did not happen")
            i, same = i + 1, False
        else:
            lines.append(f"  + {actual[j]}   happened, not expected")
            j, same = j + 1, False
    return lines, same


def _first(row: Expected, action: Action, gain: int) -> bool:
    """Whether the missing row is shown before the action that is too much: what leaves more in
    common, else the earlier one."""
    return gain > 0 or (gain == 0 and (row.at is None or row.at <= action.at))


def _written(row: Expected) -> str:
    parts = [iso(row.at)] if row.at is not None else []
    if row.action is not None:
        parts += [row.action[0], short(row.action[1])]
    parts += [f"{key} {value}" for key, value in row.keys.items()]
    return " ".join(part for part in parts if part)


def _is(row: Expected, action: Action) -> bool:
    if row.at is not None and row.at != action.at:
        return False
    if row.action is not None and not _does(row.action, action):
        return False
    return all(getattr(action, key) == value for key, value in row.keys.items())


def _does(wanted: tuple[str, Any], action: Action) -> bool:
    """The short form names the template, the URL or a part of the mapping, or the step's id."""
    verb, value = wanted
    if verb != action.verb:
        return False
    if value is None or value is True or value == action.step:
        return True
    if isinstance(action.value, dict):
        if isinstance(value, dict):
            return all(action.value.get(key) == item for key, item in value.items())
        return bool(action.value.get("url") == value)
    return bool(value == action.value)
