"""Random documents that look like campaigns: for tests that nothing raises on any of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from schemas.language import CAMPAIGN, LIST, STEP, TRIGGER

WORDS = sorted(
    {key.name for key in (*CAMPAIGN, *LIST)}
    | {*STEP, *TRIGGER}
    | {key.name for verb in (*STEP.values(), *TRIGGER.values()) for key in verb.options}
    | {"where", "id", "note", "expr", "url", "field", "email", "steps", "when", "weight", "name"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from([
        "3 days", "0", "P1D", "09:00", "08:00-10:00", "22:00-", "weekdays", "mon", "10%", "any",
        "lead.points >= 50", "lead.x == null", "event.properties.id == entry.properties.id",
        "{{ lead.email }}", "{{ lead", "2026-12-24T09:00", "email", "exit", "a", "b", "steps[0]",
        "600 per minute", "this", "UTC", "Europe/Atlantis", "\ud800", 'times("page", "7 days") > 1',
    ]),
)  # fmt: skip
KEYS = st.sampled_from(WORDS) | st.text(max_size=5) | st.integers() | st.none()
NESTED: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def _mapping_with(verbs: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda verb, value, rest: {verb: value, **rest},
        st.sampled_from(verbs),
        NESTED,
        st.dictionaries(st.sampled_from(WORDS), NESTED, max_size=3),
    )


STEPS = st.recursive(
    st.lists(_mapping_with(sorted(STEP)), max_size=4),
    lambda blocks: st.lists(
        st.builds(
            lambda verb, value, key, block: {verb: value, key: block},
            st.sampled_from(sorted(STEP)),
            NESTED,
            st.sampled_from(["then", "else", "otherwise", "on_failure", "parallel", "choose"]),
            blocks,
        ),
        max_size=3,
    ),
    max_leaves=4,
)
CAMPAIGNS = st.builds(
    lambda enter, steps, rest: {"campaign": "c", "enter": enter, "steps": steps, **rest},
    st.lists(_mapping_with(sorted(TRIGGER)), max_size=3) | NESTED,
    STEPS,
    st.dictionaries(st.sampled_from([key.name for key in CAMPAIGN]), NESTED, max_size=3),
)
DOCUMENTS = CAMPAIGNS | NESTED
