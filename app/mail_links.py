"""What a mail's links become: clicks and opens that tell, and a way out.

Works on the rendered text, since only that has the addresses; everything but the links stays as
the author wrote it, letter for letter.
"""

from __future__ import annotations

import re
from html import escape, unescape

from app.tokens import URL_CHARACTERS_MAX, Link, Tokens, web_url
from schemas.commands import Command

_HREF = re.compile(
    r"""(<(?:a|area)\b[^>]*?\shref\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""",
    re.IGNORECASE | re.DOTALL,
)
_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_HARMLESS = ("", "http", "https", "mailto", "tel", "sms")
_SCHEME = re.compile(r"\s*([a-zA-Z][a-zA-Z0-9+.\-]*):")
_TRAILING = ".,;:!?)]*_"


class MailLinks:
    """Links of one mail. `address_key` is the recipient's key in `suppressions`."""

    def __init__(
        self, command: Command, tokens: Tokens, base_url: str, address_key: str, sent_ms: int
    ) -> None:
        self._tokens = tokens
        self._base_url = base_url
        self._link = Link(
            kind="open",
            command_id=command.id,
            journey_id=command.journey_id,
            step=command.step,
            template=command.template or "",
            lead=command.lead,
            channel=command.channel,
            sent_ms=sent_ms,
        )
        self.unsubscribe_url = self._url("u", "unsubscribe", address_key=address_key)

    def html(self, body: str, *, footer: bool) -> str:
        """Links and pixel in place; with `footer` and no way out of its own, one is added."""
        body = _HREF.sub(self._tracked, body)
        tail = ""
        if footer and self.unsubscribe_url not in body:
            tail = (
                '<p style="font-size:12px;color:#666666;text-align:center">'
                f'<a href="{escape(self.unsubscribe_url)}" style="color:#666666">'
                "Unsubscribe</a></p>"
            )
        pixel = escape(self._url("o", "open") + ".gif")
        tail += f'<img src="{pixel}" width="1" height="1" alt="" style="display:none">'
        ends = list(_BODY_END.finditer(body))
        at = ends[-1].start() if ends else len(body)
        return body[:at] + tail + body[at:]

    def text(self, body: str, *, footer: bool) -> str:
        """Links in place; with `footer` and no way out of its own, one is added."""
        body = _URL.sub(self._tracked_in_text, body)
        if footer and self.unsubscribe_url not in body:
            body = f"{body.rstrip()}\n\n-- \nUnsubscribe: {self.unsubscribe_url}\n"
        return body

    def _tracked(self, match: re.Match[str]) -> str:
        found = next(group for group in match.groups()[1:] if group is not None)
        target = unescape(found).strip()
        scheme = _SCHEME.match(target)
        if scheme and scheme[1].lower() not in _HARMLESS:
            return f'{match[1]}"#"'  # javascript:, data: and their like, written by a lead
        return f'{match[1]}"{escape(self._click(target))}"'

    def _tracked_in_text(self, match: re.Match[str]) -> str:
        found = match[0]
        target = found.rstrip(_TRAILING)
        return self._click(target) + found[len(target) :]

    def _click(self, target: str) -> str:
        """An address that tells of the click and leads on; `target` itself where none can."""
        if target.startswith(self._base_url + "/") and target[len(self._base_url) + 1 :][:2] in (
            "u/", "o/", "c/",
        ):  # fmt: skip
            return target
        if len(target) > URL_CHARACTERS_MAX:
            return target
        try:
            url = web_url(target)
        except ValueError:
            return target
        return self._url("c", "click", url=url)

    def _url(self, path: str, kind: str, **more: str) -> str:
        fields = {name: getattr(self._link, name) for name in self._link.__struct_fields__}
        return (
            f"{self._base_url}/{path}/{self._tokens.make(Link(**{**fields, **more, 'kind': kind}))}"
        )
