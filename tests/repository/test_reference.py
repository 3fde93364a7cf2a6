"""The reference names everything that users, operators and other programs can meet."""

import re

from schemas.facts import HEAD, SHIPPED
from schemas.topics import DAY_MS, TOPICS, Topic
from tests.repository.tree import ROOT

REFERENCE = ROOT / "docs" / "reference"


def rows(document: str) -> dict[str, list[str]]:
    """Give the table rows of a page whose first cell is `code`: that name and all cells."""
    table: dict[str, list[str]] = {}
    for line in (REFERENCE / document).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            named = cells[0].strip("` ")
            assert named not in table, f"{document} has two rows for {named}"
            table[named] = cells
    return table


def kept(topic: Topic) -> str:
    if topic.compacted:
        return "newest per key"
    return "for ever" if topic.retention_ms == -1 else f"{topic.retention_ms // DAY_MS} days"


def test_every_topic_is_documented_as_it_is_made() -> None:
    documented = {topic: cells[1:4] for topic, cells in rows("topics.md").items()}

    assert documented == {
        topic.name: [topic.key, str(topic.partitions or "N"), kept(topic)] for topic in TOPICS
    }


def test_every_kind_of_fact_is_documented_with_its_fields() -> None:
    documented = {
        kind: set(re.findall(r"`(\w+)`", cells[1])) for kind, cells in rows("facts.md").items()
    }

    shipped = {
        name: set(kind.__struct_fields__[HEAD:]) - set(kind.hidden)
        for name, kind in SHIPPED.items()
    }
    shipped["waiting"].add("for")  # shipped when the wait is for something
    assert documented == shipped
