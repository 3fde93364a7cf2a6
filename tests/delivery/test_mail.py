"""A mail as it is written: values, links, ways out, headers, and what must not get into it."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from app.mail import Mail
from app.tokens import Link
from schemas.errors import Reject, Retry
from tests.delivery.bench import NOW, mail
from tests.delivery.writing import BASE_URL, TOKENS, address_key, templates, writer


def write(template: dict[str, str], **changes: Any) -> Mail:
    """Write the mail of one command with this template."""
    changes.setdefault("template_digest", "welcome")
    return writer(templates(welcome=template)).write(mail(**changes))


def parsed(template: dict[str, str], **changes: Any) -> EmailMessage:
    """Write it, and read it as a mail program would."""
    message = message_from_bytes(write(template, **changes).content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None, f"there is no {kind} part"
    text: str = part.get_content()
    return text


def links(text: str, letter: str) -> list[Link]:
    """Read the tokens of `/c/`, `/o/` or `/u/` in a text."""
    kinds = {"c": "click", "o": "open", "u": "unsubscribe"}
    found = re.findall(rf"{re.escape(BASE_URL)}/{letter}/([A-Za-z0-9_.\-]+)", text)
    read = [TOKENS.read(token.removesuffix(".gif"), kinds[letter]) for token in found]  # type: ignore[arg-type]
    assert None not in read, "a token that we did not sign"
    return [link for link in read if link is not None]


HTML = {
    "subject": "Hi",
    "html": '<p>Dear {{ lead.name }}, <a href="https://x.org/a?b=1&amp;c=2">go</a></p>',
}


def test_values_are_filled_in_and_escaped_in_html_only() -> None:
    template = {
        "subject": "For {{ lead.name }}\n",
        "html": "<b>{{ lead.name }}</b>{{ lead.missing }}|{{ entry.properties.plan }}",
        "text": "{{ lead.name }}{{ lead.missing.deeper | upcase }}|{{ journey.run }}",
    }
    data = {
        "lead": {"name": "Tom & <Jerry>"},
        "entry": {"properties": {"plan": "pro"}},
        "journey": {"run": 2},
    }

    message = parsed(template, data=data)

    assert message["Subject"] == "For Tom & <Jerry>"
    assert "<b>Tom &amp; &lt;Jerry&gt;</b>|pro" in body(message, "html")
    assert body(message, "plain").startswith("Tom & <Jerry>|2")


def test_links_tell_of_clicks_and_lead_on() -> None:
    message = parsed(HTML, data={"lead": {"name": "Ana"}})

    (link,) = links(body(message, "html"), "c")

    assert link.url == "https://x.org/a?b=1&c=2"
    assert link.message() == {
        "command_id": mail().id, "journey_id": "journey", "step": "welcome", "template": "welcome",
    }  # fmt: skip
    assert link.lead == "ana"
    assert links(body(message, "plain"), "c") == [link]
    assert "x.org" not in body(message, "html")


def test_an_open_pixel_stands_at_the_bodys_end() -> None:
    html = "<html><body><p>Hi</p></body></html>"

    written = body(parsed({"html": html}), "html")

    (link,) = links(written, "o")
    assert link.step == "welcome"
    assert re.search(r'<img src="[^"]+\.gif"[^>]*></body></html>\s*$', written)


def test_a_mail_without_a_way_out_gets_one() -> None:
    message = parsed({"html": "<p>Hi</p>", "text": "Hi"})

    for part in ("html", "plain"):
        (link,) = links(body(message, part), "u")
        assert link.channel == "email"
        assert link.address_key == address_key("email", "ana@example.org")
    header = message["List-Unsubscribe"]
    assert header.startswith(f"<{BASE_URL}/u/")
    assert links(header, "u") == [link]
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_header_of_the_way_out_is_one_plain_line() -> None:
    content = write({"text": "Hi"}, lead="l" * 200).content

    line = next(line for line in content.split(b"\r\n") if line.startswith(b"List-Unsubscribe:"))
    assert re.fullmatch(rb"List-Unsubscribe: <https://\S+>", line)
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))


def test_a_template_with_a_way_out_keeps_its_own() -> None:
    template = {
        "html": '<a href="{{ unsubscribe_url }}">Leave</a>',
        "text": "Leave: {{ unsubscribe_url }}",
    }

    message = parsed(template)

    assert len(links(body(message, "html"), "u")) == 1
    assert "Unsubscribe" not in body(message, "html")
    assert not links(body(message, "html"), "c")
    assert len(links(body(message, "plain"), "u")) == 1


def test_a_transactional_mail_has_no_way_out() -> None:
    message = parsed({"html": "<p>Your receipt</p>"}, transactional=True)

    assert message["List-Unsubscribe"] is None
    assert not links(body(message, "html"), "u")
    assert links(body(message, "html"), "o")


def test_only_addresses_of_the_web_are_tracked() -> None:
    html = (
        "<a href='mailto:a@b.org'>m</a><a href=\"#top\">t</a><a class=x href=https://x.org/1>u</a>"
        '<A HREF = "HTTPS://X.org/2">U</A><link href="https://x.org/style.css">'
    )

    written = body(parsed({"html": html}), "html")

    assert [link.url for link in links(written, "c")] == ["https://x.org/1", "HTTPS://X.org/2"]
    assert "mailto:a@b.org" in written
    assert '"#top"' in written
    assert "https://x.org/style.css" in written


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", " data:text/html,x", "JaVaScRiPt:x", "vbscript:x"]
)
def test_a_lead_cannot_smuggle_in_a_script(target: str) -> None:
    template = {"html": '<a href="{{ lead.site }}">site</a>{{ lead.bio }}'}

    written = body(
        parsed(template, data={"lead": {"site": target, "bio": "<script>x</script>"}}), "html"
    )

    assert '<a href="#">' in written
    assert "<script>" not in written


def test_links_in_a_written_text_are_tracked() -> None:
    text = "See https://x.org/a_(b). Or (https://x.org/c), or <https://x.org/d?e=f&g=h>!"

    written = body(parsed({"text": text}), "plain")

    urls = [link.url for link in links(written, "c")]
    assert urls == ["https://x.org/a_(b", "https://x.org/c", "https://x.org/d?e=f&g=h"]


def test_text_comes_from_html_when_there_is_none() -> None:
    head = "<head><style>p {color: red}</style></head>"
    html = f"<html>{head}<body><h1>Hello</h1><p>you</p></body></html>"

    message = parsed({"html": html})

    assert message.get_content_type() == "multipart/alternative"
    assert "Hello" in body(message, "plain")
    assert "color" not in body(message, "plain")
    assert '<p style="color: red;">you</p>' in body(message, "html")


def test_a_template_of_text_alone_is_a_mail_of_text_alone() -> None:
    message = parsed({"text": "Hi", "subject": "S"})

    assert message.get_content_type() == "text/plain"


def test_mjml_becomes_html_with_its_liquid() -> None:
    mjml = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ lead.name }}</mj-text>"
        '<mj-button href="https://x.org/{{ lead.name }}">Go</mj-button>'
        "</mj-column></mj-section></mj-body></mjml>"
    )

    message = parsed({"mjml": mjml}, data={"lead": {"name": "Ana"}})

    assert "Hi Ana" in body(message, "html")
    assert "mj-" not in re.sub(
        r"<style.*?</style>|class=\"[^\"]*\"", "", body(message, "html"), flags=re.S
    )
    assert [link.url for link in links(body(message, "html"), "c")] == ["https://x.org/Ana"]
    assert "Hi Ana" in body(message, "plain")


def test_headers_say_who_whom_when_and_which() -> None:
    written = write(HTML)
    message = parsed(HTML)

    assert message["From"] == "Dripline <no-reply@example.com>"
    assert message["To"] == "ana@example.org"
    assert message["Message-ID"] == f"<{mail().id}@example.com>"
    assert message["Date"].datetime.timestamp() * 1000 == NOW
    assert (written.sender, written.recipient) == ("no-reply@example.com", "ana@example.org")
    assert write(HTML).content.split(b"boundary")[0] == written.content.split(b"boundary")[0]


def test_steps_may_name_sender_recipient_and_subject_in_liquid() -> None:
    settings = {
        "from": "{{ lead.owner }} <owner@example.net>",
        "to": "boss@example.net",
        "subject": "About {{ lead.name }}",
    }

    message = parsed(
        HTML, settings=settings, address=None, data={"lead": {"owner": "Bö", "name": "Ana"}}
    )

    assert message["From"] == "Bö <owner@example.net>"
    assert message["To"] == "boss@example.net"
    assert message["Subject"] == "About Ana"
    assert message["Message-ID"].endswith("@example.net>")


def test_letters_beyond_ascii_are_fine() -> None:
    written = write(
        {"subject": "Grüße 🎉 " * 30, "text": "Schöne Grüße"},
        address="Jörg Müller <joerg@exämple.org>",
    )
    message = message_from_bytes(written.content, policy=policy.default)

    assert not written.utf8
    assert written.content.isascii()
    assert written.recipient == "joerg@xn--exmple-cua.org"
    assert message["Subject"].startswith("Grüße 🎉 Grüße")
    assert message["To"].addresses[0].display_name == "Jörg Müller"
    assert write({"text": "x"}, address="jörg@example.org").utf8


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "Hi\r\nBcc: everybody@example.org"),
        ("subject", "Hi\nX-Evil: 1"),
        ("name", "x\r\n\r\n<html>evil"),
    ],
)
def test_no_value_can_add_a_header(field: str, value: str) -> None:
    template = {"subject": "{{ lead.subject }} {{ lead.name }}", "text": "x"}

    message = parsed(template, data={"lead": {field: value}})

    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
        "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert message["Bcc"] is None


@pytest.mark.parametrize(
    "address",
    [
        "", "ana", "ana@", "@example.org", "ana@ex ample.org", "a@b.org, c@d.org", "ana@b.org>x",
        "ana@b.org\r\nBcc: c@d.org", "ana@b.org\x00", "team: a@b.org;", "ana@b.org trailing",
        "a" * 65 + "@example.org", "ana@" + "x." * 130 + "org",
    ],
)  # fmt: skip
def test_an_address_that_is_none_has_bounced(address: str) -> None:
    with pytest.raises(Reject, match=r"^address: ") as caught:
        write(HTML, address=address)

    assert caught.value.bounced


def test_a_bad_recipient_of_the_step_says_nothing_of_the_leads_address() -> None:
    with pytest.raises(Reject, match="the recipient") as caught:
        write(HTML, settings={"to": "{{ lead.boss }}"})

    assert not caught.value.bounced


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in (1..1000000) %}x{% endfor %}",
        "{% for a in (1..5000) %}{% for b in (1..5000) %}{% endfor %}{% endfor %}",
        "{% assign a = 'xxx' %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}",
        "{% for a in (1..9000) %}" + "x" * 100 + "{% endfor %}",
        "{% if true %}" * 40 + "{% endif %}" * 40,
        "{% include 'x' %}",
        "{% render '/etc/passwd' %}",
        "{{ lead.name | no_such_filter }}",
        "{% if %}",
        "{{ 'a",
    ],
)
def test_templates_are_kept_within_limits(source: str) -> None:
    with pytest.raises(Reject, match=r"^template: ") as caught:
        write({"text": source})

    assert not caught.value.bounced


@pytest.mark.parametrize(
    "source",
    [
        "{{ lead.none | date: '%Y' }}", "{{ 1 | divided_by: 0 }}", "{{ lead.list | map: 'x' }}",
        "{{ lead.x.y[0].z }}", "{{ lead | upcase | plus: lead.y | round: 'x' }}",
        "{% for a in lead.none %}{{ a.b }}{% endfor %}", "{{ lead.none }}",
    ],
)  # fmt: skip
def test_values_that_do_not_fit_render_as_nothing(source: str) -> None:
    data = {"lead": {"none": None, "list": [1, 2], "y": {}}}

    assert "A" in body(parsed({"text": "A" + source}, data=data), "plain")


def test_a_template_that_is_not_there_yet_is_waited_for() -> None:
    with pytest.raises(Retry, match=r"^template: "):
        write(HTML, template_digest="other")


def test_bad_mjml_is_refused() -> None:
    with pytest.raises(Reject, match="is no MJML"):
        write({"mjml": "<mjml><mj-body><mj-include path='/etc/passwd' /></mj-body></mjml>"})
