"""Campaign directories: read whole, linted across files, turned into changes by digest."""

from pathlib import Path

import pytest

from app.campaign_files import load
from schemas.changes import digest_of
from schemas.errors import UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"
CAMPAIGN = """\
campaign: {id}
enter:
  - event: Signed Up
steps:
  - send_email: hello
  - add_to_list: friends
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A campaigns directory in which all is well."""
    for name in ("campaigns", "lists", "templates/hello"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "campaigns/a.yaml").write_text(CAMPAIGN.replace("{id}", "a"), encoding="utf-8")
    (tmp_path / "lists/friends.yaml").write_text("list: friends\n", encoding="utf-8")
    (tmp_path / "templates/hello/subject.liquid").write_text(
        "Hi {{ lead.name }}\n", encoding="utf-8"
    )
    (tmp_path / "templates/hello/body.html.liquid").write_text("<p>Hi</p>", encoding="utf-8")
    return tmp_path


def codes(path: Path) -> list[tuple[str, str]]:
    return [(finding.code, Path(finding.file).name) for finding in load([path]).lint()]


def test_a_directory_becomes_changes_in_an_order_that_can_be_applied(folder: Path) -> None:
    files = load([folder])
    assert files.lint() == []
    changes = files.changes(by="ana")
    assert [change.key for change in changes] == ["list/friends", "template/hello", "campaign/a"]
    template = changes[1]
    assert template.document == {"subject": "Hi {{ lead.name }}", "html": "<p>Hi</p>"}
    assert template.digest == digest_of(template.document)
    assert {change.by for change in changes} == {"ana"}


def test_the_order_of_keys_and_comments_change_no_digest(folder: Path) -> None:
    before = load([folder]).changes()[-1].digest
    lines = CAMPAIGN.replace("{id}", "a").splitlines()
    moved = "\n".join(["# a comment", *lines[1:], lines[0]])
    (folder / "campaigns/a.yaml").write_text(moved, encoding="utf-8")
    assert load([folder]).changes()[-1].digest == before


def test_what_a_campaign_names_must_be_there(folder: Path) -> None:
    (folder / "lists/friends.yaml").unlink()
    (folder / "templates/hello/body.html.liquid").unlink()
    assert codes(folder) == [("bad-template", "hello"), ("unknown-list", "a.yaml")]


def test_templates_are_checked(folder: Path) -> None:
    (folder / "templates/hello/body.html.liquid").write_text("{% if %}", encoding="utf-8")
    (folder / "templates/hello/body.text").write_text("x", encoding="utf-8")
    assert sorted(codes(folder)) == [
        ("bad-template", "body.html.liquid"),
        ("bad-template", "body.text"),
    ]


def test_two_files_of_one_id_are_a_finding(folder: Path) -> None:
    (folder / "campaigns/b.yaml").write_text(CAMPAIGN.replace("{id}", "a"), encoding="utf-8")
    assert codes(folder) == [("duplicate-id", "b.yaml")]


def test_a_single_file_knows_what_lies_beside_it_and_publishes_only_itself(folder: Path) -> None:
    files = load([folder / "campaigns/a.yaml"])
    assert files.lint() == []
    assert [change.key for change in files.changes()] == ["campaign/a"]


def test_a_single_file_elsewhere_may_name_lists_but_no_template(
    folder: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.yaml"
    alone.write_text(CAMPAIGN.replace("{id}", "a"), encoding="utf-8")
    assert [code for code, _ in codes(alone)] == ["unknown-template"]


def test_what_is_no_campaigns_directory_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no campaigns"):
        load([tmp_path / "empty"])
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load([tmp_path / "x.yaml"])


def test_broken_yaml_is_a_finding_and_no_change(folder: Path) -> None:
    (folder / "campaigns/b.yaml").write_text("campaign: [b\n", encoding="utf-8")
    assert codes(folder) == [("yaml", "b.yaml")]
    assert [change.key for change in load([folder]).changes()][-1] == "campaign/a"


def test_the_examples_use_what_their_scenarios_teach() -> None:
    files = load([EXAMPLES])
    assert files.lint() == []
    named = {step for source in files.of("campaign") for step in source.document["enter"][0]}
    assert {"submits_form", "visits_page", "joins_list", "spends_time", "opens_email"} <= named
