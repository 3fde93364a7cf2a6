"""Every metric and every command is in the reference, and nothing else is."""

from pathlib import Path

import cyclopts

from app import cli, metrics

REFERENCE = Path(__file__).parents[2] / "docs/reference"


def rows(page: str) -> list[list[str]]:
    """The cells of a page's table rows whose first cell is `code`."""
    return [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]


def declared() -> list[list[str]]:
    """Our metrics as the reference has them: name, type, labels, help."""
    found = []
    for collector in vars(metrics).values():
        if not hasattr(collector, "_documentation"):
            continue
        name = collector._name + ("_total" if collector._type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in collector._labelnames) or "–"
        found.append([f"`{name}`", collector._type, labels, collector._documentation])
    return found


def test_the_metrics_page_is_what_is_declared() -> None:
    assert sorted(rows("metrics.md")) == sorted(declared())


def test_names_follow_the_conventions() -> None:
    for name, kind, labels, _ in declared():
        assert name.startswith("`dripline_")
        assert (kind == "counter") == name.endswith("_total`")
        assert not {"`lead`", "`id`", "`email`"} & set(labels.split(", "))


def commands(app: cyclopts.App, before: str = "") -> list[str]:
    found = []
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        below = commands(command, f"{before}{name} ")
        found += below or [f"{before}{name}"]
    return found


def test_the_commands_page_has_every_command() -> None:
    assert sorted(row[0].strip("`") for row in rows("commands.md")) == sorted(commands(cli.app))


def test_every_metric_is_set_somewhere() -> None:
    """One that nobody sets would be 0 for ever, on dashboards and in alerts."""
    code = "".join(
        file.read_text(encoding="utf-8")
        for file in Path(metrics.__file__).parent.rglob("*.py")
        if file.name != "metrics.py"
    )
    names = [name for name, each in vars(metrics).items() if hasattr(each, "_documentation")]

    missing = [name for name in names if f"metrics.{name}" not in code and name != "BUILD"]
    assert missing == []
