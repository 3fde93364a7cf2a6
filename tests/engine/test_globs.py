"""Globs: `*` crosses `/`, nothing else is special, case matters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.globs import compile_glob, compile_page_glob


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("/pricing", "/pricing", True),
        ("/pricing", "/pricing/", False),
        ("/pricing*", "/pricing", True),
        ("/pricing*", "/pricing/team/de", True),
        ("/pricing*", "/Pricing", False),
        ("*.pdf", "/a/b.pdf", True),
        ("*.pdf", "/a/b.pdf.html", False),
        ("/docs/*/api", "/docs/v1/x/api", True),
        ("/docs/*/api", "/docs/api", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-c-b-c", True),
        ("a*b*c", "acc", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aba", False),
        ("/a?c[x]", "/abcx", False),
        ("/a?c[x]", "/a?c[x]", True),
        ("*", "", True),
        ("", "", True),
        ("", "x", False),
        ("**", "x", True),
    ],
)
def test_glob(pattern: str, text: str, expected: bool) -> None:
    assert compile_glob(pattern)(text) is expected


@given(pattern=st.text("ab/*"), text=st.text("ab/", max_size=12))
def test_glob_is_the_regular_expression_it_stands_for(pattern: str, text: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None
    assert compile_glob(pattern)(text) is expected


def test_a_pattern_with_a_scheme_is_for_the_full_url() -> None:
    url = "https://shop.example.org/pricing?plan=a#top"
    assert compile_page_glob("https://shop.*/pricing*")("/pricing", url)
    assert not compile_page_glob("https://shop.*/pricing")("/pricing", url), "URLs keep the query"
    assert compile_page_glob("/pricing")("/pricing", url)
    assert not compile_page_glob("*shop*")("/pricing", url)
