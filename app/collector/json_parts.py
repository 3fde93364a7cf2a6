"""Cuts a JSON object or array into its top-level parts, without recursion and without decoding.

For the slow path only: a body that a strict decoder refused. One client's NaN, lone surrogate or
ten thousand brackets must not take the good events of its batch with it, and the answer should
name the field. The parts are not checked; the strict decoder does that, part by part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Strings are one token, so that brackets and commas inside them do not count; one that never ends
# is one token as well, else every quote in it would be tried as a beginning (quadratic).
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}:,]', re.DOTALL)
_SPACE = b" \t\r\n"
# Cutting costs about half a microsecond a mark; a stranger may not buy seconds with a small body.
_MARKS_MAX = 100_000


def deeper(raw: bytes, most: int) -> bool:
    """Whether arrays and objects are nested deeper than `most` in a JSON text."""
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    level = 0
    for token in _TOKEN.finditer(raw):
        mark = token.group()
        if mark in (b"[", b"{"):
            level += 1
            if level > most:
                return True
        elif mark in (b"]", b"}"):
            level -= 1
    return False


def members(raw: bytes) -> dict[str, bytes]:
    """The members of an object, raw, by key; of a repeated key the last.

    Raises `ValueError` for what is not an object whose brackets and quotes close.
    """
    found: dict[str, bytes] = {}
    for start, end, colon in _parts(raw, b"{", b"}"):
        if colon < 0:
            raise ValueError("a member has no colon")
        key = raw[start:colon].strip(_SPACE)
        if len(key) < 2 or not key.startswith(b'"'):
            raise ValueError("a key is not a string")
        found[key[1:-1].decode(errors="replace")] = raw[colon + 1 : end].strip(_SPACE)
    return found


def elements(raw: bytes) -> list[bytes]:
    """The elements of an array, raw.

    Raises `ValueError` for what is not an array whose brackets and quotes close.
    """
    return [raw[start:end].strip(_SPACE) for start, end, _ in _parts(raw, b"[", b"]")]


def _parts(raw: bytes, opening: bytes, closing: bytes) -> Iterator[tuple[int, int, int]]:
    """Start and end of each top-level part, and where its first top-level colon is (or -1)."""
    if sum(map(raw.count, (b"[", b"{", b",", b":"))) > _MARKS_MAX:
        raise ValueError("holds too many parts")
    raw_end = len(raw.rstrip(_SPACE))
    level, start, colon = 0, 0, -1
    for token in _TOKEN.finditer(raw):
        mark, place = token.group(), token.start()
        if level == 0:
            if mark != opening or raw[:place].strip(_SPACE):
                raise ValueError(f"does not begin with {opening.decode()}")
            level, start = 1, token.end()
        elif mark in (b"[", b"{"):
            level += 1
        elif mark in (b"]", b"}"):
            level -= 1
            if level == 0:
                if mark != closing or token.end() != raw_end:
                    raise ValueError("goes on behind its end")
                if raw[start:place].strip(_SPACE):
                    yield start, place, colon
                return
        elif level == 1 and mark == b",":
            yield start, place, colon
            start, colon = token.end(), -1
        elif level == 1 and mark == b":" and colon < 0:
            colon = place
    raise ValueError("ends too early")
