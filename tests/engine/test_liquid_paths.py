"""The values that a Liquid source names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.liquid_paths import BadTemplate, paths


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no values", set()),
        ("{{ lead.first_name | default: 'you' }}", {"lead.first_name"}),
        ("{{ lead.address.city }}{{ lead['two words'] }}", {"lead.address.city", "lead.two words"}),
        ("{{ entry.properties.id }}{{ entry.name }}", {"entry.properties.id", "entry.name"}),
        ("{{ event.properties.items[0].sku }}", {"event.properties.items"}),
        ("{{ event.properties.items.first.sku }}", {"event.properties.items"}),
        ("{{ event.properties.size }}{{ lead.size }}", {"event.properties.size", "lead.size"}),
        ("{{ lead.tags.size }}{{ lead.points }}", {"lead.tags", "lead.points"}),
        ("{{ lead.a[entry.properties.k] }}", {"lead.a", "entry.properties.k"}),
        (
            "{% for i in event.properties.items %}{{ i.name }}{{ forloop.index }}{% endfor %}",
            {"event.properties.items"},
        ),
        ("{% assign a = lead.b %}{{ a.c }}", {"lead.b"}),
        ("{% if lead.vip and lead.points > 3 %}x{% endif %}", {"lead.vip", "lead.points"}),
        ("{% comment %}{{ lead.z }}{% endcomment %}{% raw %}{{ lead.y }}{% endraw %}", set()),
        ("{{ unsubscribe_url }}{{ journey.run }}", {"unsubscribe_url", "journey.run"}),
        ("{{ journey.variant.s }}{{ journey.id }}", {"journey.variant.s", "journey.id"}),
    ],
)
def test_paths(source: str, expected: set[str]) -> None:
    assert paths(source) == expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ lead. }}", "identifier"),
        ("line\n{% if %}", "line 2"),
        ("{% foo %}", "foo"),
        ("{{ lead.x", "}}"),
        ("{% for a in lead.b %}", "endfor|end"),
        ("{% render 'x' %}", "stands alone"),
        ("{% include lead.x %}", "stands alone"),
        ("{{ lead.x | captalize }}", "capitalize"),
        ("{{ first_name }}", "there are lead"),
        ("{{ led.x }}", "did you mean `lead`"),
        ("{{ lead }}", "alone"),
        ("{{ lead[entry.name] }}", "alone"),
        ("{{ event.order_id }}", "event.properties.order_id"),
        ("{{ entry.properties }}", "path"),
        ("{{ event.name.x }}", "no fields"),
        ("{{ journey.version }}", "journey.run"),
        ("{{ journey.variant }}", "split"),
        ("{{ lead.id.x }}", "no fields"),
        ("{{ lead.points.x }}", "no fields"),
        ("x" * (512 * 1024 + 1), "512 kB"),
        ("{% if lead.a %}" * 40 + "{% endif %}" * 40, "nest"),
    ],
)
def test_bad_templates(source: str, says: str) -> None:
    with pytest.raises(BadTemplate, match=says):
        paths(source)


PIECES = st.sampled_from(
    ["{{", "}}", "{%", "%}", "lead", ".", "[", "]", "x", "'", '"', "|", "if", "for", "in", "endif",
     "(1..", ")", ":", ",", "0", "\n", "case", "when", "liquid", "assign a =", "-%}", "cycle"],
)  # fmt: skip


@given(source=st.lists(PIECES, max_size=20).map(" ".join) | st.text())
def test_any_text_is_read_or_refused(source: str) -> None:
    found: frozenset[str] = frozenset()
    try:
        found = paths(source)
    except BadTemplate as error:
        assert str(error)  # noqa: PT017
    assert all(isinstance(path, str) for path in found)
