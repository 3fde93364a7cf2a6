"""`dripline up` with real processes on the embedded broker."""

import json
import os
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from app.access_log import parse_line
from tests.app.running import (
    ROOT,
    Up,
    alive,
    descendants,
    dripline,
    eventually,
    free_port,
    up,
)

EXAMPLES = str(ROOT / "examples")
ANA = "ana@example.org"


def sign_up(running: Up, lead: str, address: str = ANA) -> None:
    """A form on the site: the welcome campaign begins."""
    running.post(
        "/v1/batch",
        {
            "batch": [
                {"type": "identify", "userId": lead, "traits": {"email": address}},
                {
                    "type": "track",
                    "userId": lead,
                    "event": "Form Submitted",
                    "properties": {"form_id": "newsletter"},
                },
            ]
        },
    )


def send_with_the_printed_line(running: Up) -> int:
    """Paste what `up` prints into a shell; the exit status."""
    line = next(text for text in running.out if text.lstrip().startswith("curl "))
    return subprocess.run(["bash", "-c", f"{line} -sSf"], check=False).returncode


def mails_to(running: Up, address: str) -> list[dict[str, Any]]:
    return [mail for mail in running.get("/api/mails?limit=1000")["mails"] if address in mail["to"]]


def import_history(running: Up, folder: Path) -> None:
    """Old visits change leads and begin no journey."""
    lines = [
        f'192.0.2.{n} - - [17/May/2015:10:0{page}:03 +0000] "GET /blog/{page} HTTP/1.1" 200 1 '
        '"-" "Firefox/27"'
        for n in range(3)
        for page in range(2)
    ]
    (folder / "access.log").write_text("\n".join(lines), encoding="utf-8")
    ran = dripline(
        "import", "access-log", str(folder / "access.log"), "--example-addresses", "--json",
        "--url", running.url,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    counts = json.loads(ran.stdout)
    assert (counts["accepted"], counts["rejected"], counts["invented_addresses"]) == (6, 0, 1)
    visitor = parse_line(1, lines[-1]).visitor  # type: ignore[union-attr]
    told = eventually("the third visitor", lambda: known(running, visitor))
    assert told["state"]["traits"]["invented"] is True
    assert not [fact for fact in told["facts"] if fact["fact"] == "entered"]


def known(running: Up, lead: str) -> Any:
    """What the API tells of a lead with a state, else None."""
    try:
        told = running.get(f"/api/leads/{lead}")
    except HTTPError:
        return None
    return told if told["state"] else None


def test_an_event_becomes_a_mail_and_the_command_line_can_tell_why(tmp_path: Path) -> None:
    with up("--campaigns", EXAMPLES) as running:
        import_history(running, tmp_path)
        assert any("in memory" in line for line in running.out)
        assert send_with_the_printed_line(running) == 0
        mail = eventually("the welcome mail", lambda: mails_to(running, ANA))[0]
        assert mail["subject"] == "Welcome to Lantern"
        shown = dripline("lead", "show", "ana", "--url", running.url)
        assert shown.returncode == 0, shown.stderr
        assert "action_issued" in shown.stdout
        assert dripline("lead", "show", "nobody", "--url", running.url).returncode == 1
        entered = dripline("lead", "enter", "ana", "no-such", "--url", running.url)
        assert (entered.returncode, "no-such" in entered.stderr) == (2, True)
        again = dripline("campaign", "publish", EXAMPLES, "--url", running.url)
        assert again.returncode == 0, again.stderr
        assert all(line.endswith("version 1, unchanged") for line in again.stdout.splitlines())
        verified = dripline("verify", "--url", running.url)
        assert verified.returncode == 0, verified.stdout
        assert running.stop() == 0
        assert running.out[-1].startswith("Stopped; the log was in memory")


def kill(running: Up, role: str) -> None:
    """Kill a child, and wait until another one is there."""
    before = running.pids()[role]
    os.kill(before, signal.SIGKILL)
    eventually(f"another {role}", lambda: running.pids().get(role, before) != before)
    assert any(f"the {role} ended (killed by SIGKILL)" in line for line in running.err)


def test_what_is_killed_is_started_again_but_without_the_broker_all_ends() -> None:
    running = Up("--campaigns", EXAMPLES)
    try:
        running.started()
        sign_up(running, "ana")
        eventually("the welcome mail", lambda: mails_to(running, ANA))
        for role in ("worker", "delivery"):
            kill(running, role)
            address = f"after-{role}@example.org"
            sign_up(running, f"after-{role}", address)
            eventually("its mail", partial(mails_to, running, address))
        assert len(mails_to(running, ANA)) == 1
        assert dripline("verify", "--url", running.url).returncode == 0
        children = descendants(running.process.pid)
        os.kill(running.pids()["broker"], signal.SIGKILL)
        assert running.ended() == 70
    finally:
        running.stop()
    assert any("the embedded broker has ended" in line for line in running.err)
    eventually("no child is left", lambda: not any(map(alive, children)), 20)


def test_a_taken_port_means_the_next_one_and_no_child_outlives_a_killed_parent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = Up(port=port)
        try:
            running.started()
            children = descendants(running.process.pid)
            assert len(children) >= 4
        finally:
            running.stop(signal.SIGKILL)
    assert any(f"port {port} is taken: using {port + 1}" in line for line in running.err)
    eventually("no child is left", lambda: not any(map(alive, children)), 40)


def test_campaigns_with_an_error_are_not_started(tmp_path: Any) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns/bad.yaml").write_text("campaign: bad\nsteps: []\n", encoding="utf-8")
    ran = dripline("up", "--port", str(free_port()), "--campaigns", str(tmp_path))
    assert ran.returncode == 2
    assert "bad.yaml" in ran.stderr


def test_ctrl_c_while_it_starts_leaves_nothing() -> None:
    running = Up("--campaigns", EXAMPLES)
    eventually("the broker runs", lambda: "broker" in running.pids())
    children = descendants(running.process.pid)
    assert running.stop() == 0
    eventually("no child is left", lambda: not any(map(alive, children)), 20)


def test_the_demo_shows_the_whole_way() -> None:
    with up("--demo", "--speed", "3600", "--seed", "7") as running:

        def reached() -> bool:
            told = {c["campaign"]: c for c in running.get("/api/campaigns")["campaigns"]}
            return (
                running.get("/api/mails")["total"] > 10
                and told["welcome"]["waiting"] > 0
                and told["interest"]["entered"] > 3
                and told["interest-clicks"]["entered"] > 0
                and told["pricing-question"]["completed"] > 0
            )

        eventually("entered, waited, branched, got mails, opened and clicked", reached)
        assert running.stop() == 0
    said = "\n".join(running.out)
    assert "sent        0" not in said
    assert "no_address" in said
    assert "memberships of lists" in said
    assert not [line for line in running.err if "Traceback" in line or '"level": "error"' in line]
