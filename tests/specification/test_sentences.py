"""Each sentence of the language's page that is in scope has a scenario, or a reason for none."""

import ast
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from streams.engine.yaml_reading import load_yaml
from tests.conftest import ROOT

HERE = Path(__file__).parent
SCENARIOS = ROOT / "tests" / "scenarios"
FILE = load_yaml((HERE / "sentences.yaml").read_text())[0]
SENTENCES: list[dict[str, Any]] = FILE["sentences"]
OTHER: list[dict[str, Any]] = FILE["other"]
KEYS = {"id", "says", "scope", "later", "scenarios", "tests", "why"}


def words(text: str) -> str:
    """The text with its white space made even."""
    return " ".join(text.split())


def page() -> Path | None:
    """The language's page among the design pages in or above the checkout, where they are."""
    for folder in (ROOT, *ROOT.parents):
        found = folder / "shared" / "design" / "campaign-language.md"
        if found.is_file():
            return found
    return None


def test_no_sentence_is_missing() -> None:
    """All sentences together are the page, word for word; a lost one changes the digest."""
    text = words(" ".join(sentence["says"] for sentence in SENTENCES))

    assert blake2b(text.encode(), digest_size=16).hexdigest() == FILE["words"]
    if (design := page()) is not None:
        assert text == words(design.read_text())


def test_ids_are_unique_and_keys_known() -> None:
    ids = [sentence["id"] for sentence in SENTENCES]

    assert sorted(set(ids)) == sorted(ids)
    assert [s["id"] for s in SENTENCES if not set(s) <= KEYS] == []
    assert {s["scope"] for s in SENTENCES} == {"now", "later", "text"}


def test_whatever_is_not_in_scope_says_why() -> None:
    assert [s["id"] for s in SENTENCES if (s["scope"] == "later") != ("later" in s)] == []


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence["id"])
def test_a_sentence_in_scope_is_shown(sentence: dict[str, Any]) -> None:
    shown = sentence.get("scenarios", []) + sentence.get("tests", [])

    if sentence["scope"] == "now":
        assert shown or sentence.get("why"), f"no scenario and no reason: {sentence['says']}"
    assert [
        n for n in sentence.get("scenarios", []) if not (SCENARIOS / f"{n}.yaml").is_file()
    ] == []
    assert [test for test in sentence.get("tests", []) if not exists(test)] == []


def test_every_scenario_belongs_to_a_rule() -> None:
    named = {name for sentence in SENTENCES for name in sentence.get("scenarios", [])}
    named |= {row["scenario"] for row in OTHER if row["rule"]}
    files = {
        path.relative_to(SCENARIOS).with_suffix("").as_posix() for path in SCENARIOS.rglob("*.yaml")
    }

    assert files - named == set()
    assert named - files == set()


def exists(test: str) -> bool:
    """Whether a test file, or the function in it that `::` names, is there."""
    path, _, function = test.partition("::")
    if not (ROOT / path).is_file():
        return False
    tree = ast.parse((ROOT / path).read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return function in names if function else any(name.startswith("test_") for name in names)
