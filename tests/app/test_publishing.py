"""Publishing on real Kafka: only what changed, then a marker in every partition."""

import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app import publishing, topics
from app.campaign_files import load
from app.log_reading import LogReader
from app.settings import Settings, load_settings
from schemas import changes, records
from schemas.topics import CAMPAIGN_CHANGES, LEAD_EVENTS
from tests.app.running import ROOT, Up, dripline, eventually
from tests.kafka.server import KafkaServer

PARTITIONS = 3


@pytest.fixture(scope="module")
def own_kafka(
    tmp_path_factory: pytest.TempPathFactory, kafka: KafkaServer
) -> Iterator[KafkaServer]:
    """A broker of its own: topics have fixed names, and other tests use them too."""
    del kafka  # only to be skipped where there are no jars
    with KafkaServer(tmp_path_factory.mktemp("publishing")) as server:
        yield server


@pytest.fixture(scope="module")
def settings(own_kafka: KafkaServer) -> Settings:
    made = load_settings(
        {
            "DRIPLINE_KAFKA": own_kafka.bootstrap,
            "DRIPLINE_PARTITIONS": str(PARTITIONS),
            "DRIPLINE_SECRET": "a secret of the test",
        }
    )
    topics.create(made)
    return made


def markers(settings: Settings) -> list[list[int]]:
    """The numbers of the change markers, by partition."""
    with LogReader(settings.bootstrap()) as reader:
        return [
            [
                records.DECODERS["change-marker/1"].decode(record.value).number
                for record in reader.read(LEAD_EVENTS, partition)
                if ("schema", b"change-marker/1") in record.headers
            ]
            for partition in range(PARTITIONS)
        ]


def test_only_what_changed_is_appended_and_every_partition_learns_of_it(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "campaigns").mkdir()
    path = tmp_path / "campaigns/a.yaml"
    path.write_text("campaign: a\nenter: [{event: X}]\nsteps: [{wait: 1 day}]\n", encoding="utf-8")
    other = path.with_name("b.yaml")
    other.write_text("campaign: b\nenter: [{event: Y}]\nsteps: [{exit: done}]\n", encoding="utf-8")
    first = publishing.publish(settings, load([tmp_path]).changes(by="ana"))
    assert [(one.id, one.version, one.changed) for one in first] == [("a", 1, True), ("b", 1, True)]
    again = publishing.publish(settings, load([tmp_path]).changes(by="ben"))
    assert [(one.id, one.version, one.changed) for one in again] == [
        ("a", 1, False),
        ("b", 1, False),
    ]
    path.write_text(path.read_text(encoding="utf-8").replace("1 day", "2 days"), encoding="utf-8")
    third = publishing.publish(settings, load([tmp_path]).changes(by="ana"))
    assert [(one.id, one.version, one.changed) for one in third] == [
        ("a", 2, True),
        ("b", 1, False),
    ]
    assert markers(settings) == [[1, 2]] * PARTITIONS
    with LogReader(settings.bootstrap()) as reader:
        published = [changes.DECODE(r.value) for r in reader.read(CAMPAIGN_CHANGES, 0)]
    assert [(one.key, one.by) for one in published] == [
        ("campaign/a", "ana"), ("campaign/b", "ana"), ("campaign/a", "ana"),
    ]  # fmt: skip


def one_mail(running: Up) -> bool:
    return bool(running.get("/api/mails")["total"] == 1)


def test_up_runs_on_a_real_broker_and_goes_on_from_there(settings: Settings) -> None:
    env = {"DRIPLINE_SECRET": "a secret of the test", "DRIPLINE_PARTITIONS": str(PARTITIONS)}
    words = ("--kafka", settings.bootstrap(), "--campaigns", str(ROOT / "examples"))
    for start in range(2):
        running = Up(*words, **env)
        try:
            running.started()
            assert not any("in memory:" in line for line in running.out)
            lead = f"ana-{start}"
            events = [
                {"type": "identify", "userId": lead, "traits": {"email": f"{lead}@example.org"}},
                {"type": "track", "userId": lead, "event": "Form Submitted",
                 "properties": {"form_id": "newsletter"}},
            ]  # fmt: skip
            running.post("/v1/batch", {"batch": events})
            eventually("a mail", partial(one_mail, running))
            shown = dripline("lead", "show", "ana-0", "--url", running.url)
            assert shown.returncode == 0, shown.stderr
        finally:
            status = running.stop(signal.SIGTERM)
        assert status == 0
        assert running.out[-1].startswith("Stopped; everything is in Kafka")


def test_a_directory_with_an_error_publishes_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns/a.yaml").write_text("campaign: z\nsteps: []\n", encoding="utf-8")
    before = markers(settings)
    ran = dripline("campaign", "publish", str(tmp_path), DRIPLINE_KAFKA=settings.bootstrap())
    assert ran.returncode == 1
    assert "nothing was published" in ran.stderr
    assert markers(settings) == before
