"""Nobody but us can make a link, and a link does only what it was made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokens import TOKEN_CHARACTERS_MAX, Link, Tokens, web_url
from schemas.errors import UsageError

TOKENS = Tokens(b"secret")
LINK = Link(
    "click", "c" * 32, "j" * 32, "steps[2].then[0]", "welcome", "ana", "email", 1_767_600_000_000,
    url="https://shop.example/a?b=1#c",
)  # fmt: skip


def test_token_says_what_was_signed() -> None:
    assert TOKENS.read(TOKENS.make(LINK)) == LINK


def test_token_fits_into_a_url_as_it_is() -> None:
    token = TOKENS.make(LINK)

    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_every_changed_character_is_noticed() -> None:
    token = TOKENS.make(LINK)

    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        changed = TOKENS.read(token[:place] + other + token[place + 1 :])
        # The last character of either part has bits that mean nothing.
        assert changed is None or changed == LINK


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "", lambda token: token[1:], lambda token: "2" + token[1:],
        lambda token: token[:-1], lambda token: token + "=", lambda token: token + "A",
        lambda token: token.partition(".")[0], lambda token: token.partition(".")[0] + ".",
        lambda token: token.replace(".", ".."), lambda token: "1." + token.partition(".")[2],
        lambda token: token + "\n", lambda token: "1é.é", lambda token: "1" + "A" * 10_000 + ".AA",
    ],
)  # fmt: skip
def test_what_was_not_signed_is_nothing(change: object) -> None:
    assert TOKENS.read(change(TOKENS.make(LINK))) is None  # type: ignore[operator]


@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str) -> None:
    assert TOKENS.read(text) is None
    assert TOKENS.read("1" + text) is None


def test_other_secret_or_other_kind_is_refused() -> None:
    token = TOKENS.make(LINK)

    assert Tokens(b"other").read(token) is None
    assert TOKENS.read(token, "unsubscribe") is None
    assert TOKENS.read(token, "click") == LINK


def test_longest_click_still_fits() -> None:
    link = Link(
        "click", "c" * 32, "j" * 32, "s" * 300, "t" * 100, "l" * 256, "email", 1,
        url="https://x.example/" + "a" * 2_000,
    )  # fmt: skip

    token = TOKENS.make(link)

    assert len(token) < TOKEN_CHARACTERS_MAX
    assert TOKENS.read(token) == link


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "JavaScript:alert(1)", " data:text/html,x", "//host/x", "/path",
        "host", "", "ftp://host/x", "http://", "https:///x", "mailto:a@b.example",
        "https://x.example/" + "a" * 3_000,
    ],
)  # fmt: skip
def test_only_web_addresses_can_be_signed(url: str) -> None:
    with pytest.raises(ValueError, match="a link"):
        web_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.example/a?b=%20c&d=1+2#e", "https://x.example/a?b=%20c&d=1+2#e"),
        ("HTTPS://x.example/ü ß", "HTTPS://x.example/%C3%BC%20%C3%9F"),
        ("https://x.example/\r\nSet-Cookie: a=b", "https://x.example/%0D%0ASet-Cookie:%20a=b"),
        ('https://x.example/"<>\\', "https://x.example/%22%3C%3E%5C"),
    ],
)
def test_what_a_header_cannot_hold_is_escaped(url: str, expected: str) -> None:
    assert web_url(url) == expected


def test_no_secret_no_tokens() -> None:
    with pytest.raises(UsageError):
        Tokens(b"")
