"""Globs: only `*` is special, it crosses `/`, and case matters (campaign-language, Triggers).

A match takes time linear in the text for each literal piece; there is nothing to backtrack.
"""

from __future__ import annotations

from collections.abc import Callable

Matcher = Callable[[str], bool]
PageMatcher = Callable[[str, str], bool]


def compile_glob(pattern: str) -> Matcher:
    """A function that tells whether a whole text matches."""
    if "*" not in pattern:
        return pattern.__eq__
    first, *middle, last = pattern.split("*")
    pieces = tuple(piece for piece in middle if piece)
    if not pieces:
        if not last:
            return lambda text: text.startswith(first)
        if not first:
            return lambda text: text.endswith(last)
    least = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < least or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in pieces:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return matches


def is_url_glob(pattern: str) -> bool:
    """Whether the pattern is for full URLs rather than paths."""
    return "://" in pattern


def compile_page_glob(pattern: str) -> PageMatcher:
    """A function of (path without query and fragment, full URL)."""
    matches = compile_glob(pattern)
    if is_url_glob(pattern):
        return lambda _path, url: matches(url)
    return lambda path, _url: matches(path)
