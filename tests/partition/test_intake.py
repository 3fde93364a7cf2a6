"""What becomes of a record that cannot be used, and of one that barely can."""

from __future__ import annotations

import pytest

from schemas import topics
from schemas.errors import DataError
from schemas.ids import murmur2, partition_of
from schemas.records import ChangeMarker, Interaction
from streams.partition.dead_letters import MAX_BYTES, dead_letter
from streams.partition.intake import Intake, Marked
from streams.ports import StoredRecord
from tests.partition.driving import Driver, T, event, page, reason, record

GOOD = record(0, Interaction("page"))
SCHEMA, ID = GOOD.headers


def made(
    value: bytes | None = GOOD.value,
    key: bytes | None = b"ana",
    headers: tuple[tuple[str, bytes], ...] = (SCHEMA, ID),
) -> StoredRecord:
    return StoredRecord(0, T, key, value, headers)


def intake(number: int = 0, partitions: int = 1) -> Intake:
    return Intake(number, partitions, set(), 65_536)


BAD = {
    "no header schema": (made(headers=(ID,)), "no_schema"),
    "an unknown schema": (made(headers=(("schema", b"interaction/9"), ID)), "unknown_schema"),
    "a schema that is no text": (made(headers=(("schema", b"\xff"), ID)), "unknown_schema"),
    "no value": (made(None), "bad_json"),
    "an empty value": (made(b""), "bad_json"),
    "no JSON": (made(b"\x00\x01\xfe"), "bad_json"),
    "half of it": (made(b'{"type":"page"'), "bad_json"),
    "JSON that is too deep": (made(b'{"type":"page","context":' + b"[" * 30_000), "bad_json"),
    "text that is no UTF-8": (made(b'{"type":"track","event":"\xff"}'), "bad_json"),
    "an unknown type": (made(b'{"type":"dance"}'), "bad_field"),
    "a number for a name": (made(b'{"type":"track","event":5}'), "bad_field"),
    "no object": (made(b"[]"), "bad_field"),
    "a megabyte": (made(b'{"type":"page","x":"%s"}' % (b"x" * 1_000_000)), "too_large"),
    "no key": (made(key=None), "no_key"),
    "an empty key": (made(key=b""), "no_key"),
    "a key that is no UTF-8": (made(key=b"\xff\xfe"), "bad_lead_id"),
    "a control character in the key": (made(key=b"a\x00b"), "bad_lead_id"),
    "a key of 257 bytes": (made(key=b"x" * 257), "bad_lead_id"),
    "a negative change": (record(0, ChangeMarker(-1), None), "bad_field"),
}


@pytest.mark.parametrize("what", BAD)
def test_refuses(what: str) -> None:
    raw, reason = BAD[what]
    with pytest.raises(DataError) as caught:
        intake().read(raw)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_a_key_of_another_partition_is_refused_with_the_right_one() -> None:
    right = partition_of("ana", 4)
    assert right == (murmur2(b"ana") & 0x7FFFFFFF) % 4
    assert intake(right, 4).read(GOOD)
    with pytest.raises(DataError, match=f"into partition {right} of 4"):
        intake((right + 1) % 4, 4).read(GOOD)


def test_the_lead_is_the_key_whatever_the_body_says() -> None:
    raw = made(b'{"type":"identify","userId":"someone-else"}', "日本 ".encode())
    read = intake().read(raw)
    assert not isinstance(read, Marked)
    assert (read.lead, read.id, read.time_ms, read.offset) == ("日本 ", "m0", T, 0)


def test_a_change_marker_needs_no_key() -> None:
    assert intake(3, 4).read(record(0, ChangeMarker(7), None)) == Marked(7, "m0")


def test_records_without_a_usable_id_get_one_that_differs() -> None:
    unnamed = [StoredRecord(o, T, b"ana", GOOD.value, (SCHEMA,)) for o in (4, 5)]
    long = made(headers=(SCHEMA, ("id", b"x" * 257)))
    ids = [intake().read(raw).id for raw in (*unnamed, long)]
    assert len(set(ids)) == 3
    assert ids == [intake().read(raw).id for raw in (*unnamed, long)]


def test_a_dead_letter_is_the_bytes_that_came() -> None:
    driver = Driver()
    driver.start()
    raw = StoredRecord(0, T, b"ana", b"\x00\xff", (("schema", b"x/1"), ("mine", b"\xff")))
    driver.receive(raw, event(1, "Point"))
    (letter,) = driver.produced(topics.DEAD_LETTERS)
    assert (letter.key, letter.value) == (raw.key, raw.value)
    assert list(letter.headers)[:2] == list(raw.headers)
    assert dict(letter.headers) == {
        "schema": b"x/1",
        "mine": b"\xff",
        "dripline-reason": b"unknown_schema",
        "dripline-detail": dict(letter.headers)["dripline-detail"],
        "dripline-topic": b"lead-events",
        "dripline-partition": b"0",
        "dripline-offset": b"0",
        "dripline-time-ms": b"%d" % T,
    }
    lead = driver.partition.lead("ana")
    assert lead is not None
    assert lead.points == 1, "the stream goes on"
    assert driver.partition.counts.dead_letter_reasons == {"unknown_schema": 1}


def test_what_would_not_fit_with_our_headers_is_told_of_only() -> None:
    whole = dead_letter(made(b"x" * (MAX_BYTES - 1000)), 0, "too_large", "")
    assert len(whole.value or b"") == MAX_BYTES - 1000
    cut = dead_letter(made(b"x" * MAX_BYTES), 0, "too_large", "")
    assert (cut.key, cut.value) == (None, None)
    assert int(dict(cut.headers)["dripline-cut-bytes"]) > MAX_BYTES
    assert reason(cut) == "too_large"


def test_bad_json_that_only_the_engine_meets_is_bad_data_not_its_fault() -> None:
    driver = Driver()
    driver.start()
    driver.receive(event(0, "Point"))
    value = b'{"type":"track","event":"Explode","properties":{"a":"\xff"}}'
    driver.receive(StoredRecord(1, T, b"ana", value, (SCHEMA, ID)))
    (letter,) = driver.produced(topics.DEAD_LETTERS)
    assert reason(letter) == "bad_json"
    lead = driver.partition.lead("ana")
    assert lead is not None
    assert (lead.points, lead.quarantined) == (1, "")


def test_many_unknown_keys_are_forgotten_again() -> None:
    reader = intake()
    for n in range(120_001):
        reader._lead(b"k%d" % n)
    assert len(reader._young) + len(reader._old) <= 100_000
    assert reader.read(page(0)).id == "m0"
