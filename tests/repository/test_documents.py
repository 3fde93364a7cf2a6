"""What the documents point at exists, and no file knows the machine it was written on."""

import re

from tests.repository.tree import ROOT, files, name

LINK = re.compile(r"\]\(([^)\s]+)\)")
# Homes and mounts of one machine. Built so that this line does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:ho[m]e|Use[r]s|ro[o]t|wo[r]k|opt/whee[l]s)/\w")


def test_decisions_are_numbered_without_gaps() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))

    for number, path in enumerate(decisions, start=1):
        assert re.fullmatch(rf"{number:04d}-[a-z0-9-]+\.md", path.name), path.name
        text = path.read_text()
        assert text.startswith(f"# {number}. "), path.name
        for part in ("## Context\n", "## Decision\n", "## Consequences\n"):
            assert part in text, f"{path.name} lacks {part.strip()}"
    assert len(decisions) >= 6


def test_reading_order_leads_through_the_rooms() -> None:
    section = (ROOT / "README.md").read_text().split("## Reading order\n")[1].split("\n## ")[0]

    steps = [LINK.findall(line) for line in section.splitlines() if re.match(r"\d+\. ", line)]

    assert len(steps) >= 6
    assert all(steps), "each step of the reading order links to what is to be read"


def test_links_between_documents_lead_somewhere() -> None:
    dead = [
        f"{name(path)}: {target}"
        for path in files()
        if path.suffix == ".md"
        for target in LINK.findall(path.read_text())
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (path.parent / target.split("#")[0]).exists()
    ]

    assert dead == []


def test_no_file_knows_a_machine() -> None:
    found = []
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{name(path)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if MACHINE_PATH.search(line)
        ]

    assert found == []
