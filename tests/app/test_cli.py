"""The command line: exit statuses, messages without tracebacks, JSON where asked."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from app import cli, cli_setup
from schemas.errors import DriplineError, Halt, Unreachable, UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*words: str) -> int:
    return cli.main(list(words))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("say it like this"), 2),
        (Unreachable("nobody answers at 127.0.0.1:1"), 3),
        (Halt("the topic was made anew"), 70),
        (DriplineError("something else"), 1),
        (KeyError("a bug"), 70),
    ],
)
def test_the_exit_status_comes_from_the_error(
    error: Exception,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli_setup, "origins", fails)
    assert run("config") == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("dripline: ")
    assert "Traceback" not in shown.err
    assert run("config", "--debug") == status
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("confg",),
        ("config", "--jsn"),
        ("campaign", "lint"),
        ("campaign", "lint", "/nowhere/at/all"),
        ("import", "access-log"),
        ("import", "access-log", "/nowhere"),
        ("import", "access-log", "-", "--live", "--historical"),
        ("lead", "show", "a\x01b"),
        ("lead", "show", "ana", "--url", "ftp://x"),
        ("up", "--speed", "0"),
        ("up", "--speed", "60", "--kafka", "127.0.0.1:1"),
        ("up", "--kafka", "127.0.0.1:1"),
        ("worker",),
        ("simulate", "--events", "/nowhere"),
    ],
)
def test_wrong_usage_is_status_2(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DRIPLINE_KAFKA", raising=False)
    monkeypatch.delenv("DRIPLINE_SECRET", raising=False)
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("dripline: ")
    assert "bug" not in said


def test_an_instance_that_is_not_there_is_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lead", "show", "ana", "--url", "http://127.0.0.1:9") == 3
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_an_unknown_setting_stops_every_command_that_reads_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIPLINE_KAFAK", "127.0.0.1:9092")
    assert run("config") == 2
    assert "did you mean DRIPLINE_KAFKA" in capsys.readouterr().err


def test_config_as_json_is_one_object_a_line_with_secrets_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIPLINE_SECRET", "not-to-be-seen")
    assert run("config", "--json") == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert rows["DRIPLINE_SECRET"]["source"] == "DRIPLINE_SECRET"
    assert "not-to-be-seen" not in out


def test_both_ways_in_tell_the_version_and_that_of_the_time_zones() -> None:
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for command in (
            [sys.executable, "-m", "app", "--version"],
            [str(Path(sys.executable).with_name("dripline")), "--version"],
        )
    ]
    assert said[0] == said[1] == f"dripline {version('dripline')} (tzdata {version('tzdata')})\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = f"{sys.executable} -m app config --json | head -1"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 1


def test_lint_of_a_clean_directory_is_0_and_of_a_bad_file_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("campaign", "lint", str(EXAMPLES)) == 0
    capsys.readouterr()
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "campaign: bad\nenter:\n  - event: X\nsteps:\n  - wait: 3 dayz\n  - exit: goal\n",
        encoding="utf-8",
    )
    assert run("campaign", "lint", str(bad), "--json") == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(f["code"], f["line"], f["file"]) for f in found] == [
        ("bad-duration", 5, str(bad)),
        ("reserved-reason", 6, str(bad)),
    ]


def test_the_examples_pass_their_own_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("test", str(EXAMPLES)) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" passed, 0 failed")


def test_every_example_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("campaign", "show", str(EXAMPLES)) == 0
    out = capsys.readouterr().out
    for path in (EXAMPLES / "campaigns").glob("*.yaml"):
        assert f"{path.stem}: " in out
    assert run("campaign", "show", str(EXAMPLES), "no-such-campaign") == 2


def test_a_dry_run_counts_every_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "access.log"
    good = '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "Firefox/27"\n'
    log.write_text(good + "rubbish\n" + good.replace("/ ", "/a.css "), encoding="utf-8")
    assert run("import", "access-log", str(log), "--dry-run", "--json") == 0
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert counts["lines"] == 3
    assert counts["accepted"] == 1
    assert counts["left_out"] == {"static": 1, "unreadable": 1}
    assert counts["rejected"] == 0
