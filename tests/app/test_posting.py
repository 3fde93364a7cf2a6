"""Events on their way to a collector: in order, again when it is busy, paced by its clock."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from app.clock import Clock
from app.instance import Instance
from app.posting import BATCH_EVENTS, Pace, Poster, clock_of, write_key_of
from schemas.errors import Unreachable, UsageError


class Busy(BaseHTTPRequestHandler):
    """Answers what the test laid out, then 200; keeps the batches that it took."""

    answers: ClassVar[list[tuple[int, dict[str, str], Any]]] = []
    batches: ClassVar[list[list[dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, answer = (
            self.answers.pop(0) if self.answers else (200, {}, {"success": True})
        )
        if status == 200:
            self.batches.append(json.loads(body)["batch"])
        self._answer(status, headers, answer)

    def do_GET(self) -> None:
        told = {"/api/clock": {"now_ms": 5_000, "speed": 100.0}}.get(self.path)
        self._answer(200 if told else 404, {}, told)

    def _answer(self, status: int, headers: dict[str, str], answer: Any) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(raw))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Busy.answers.clear()
    Busy.batches.clear()
    with HTTPServer(("127.0.0.1", 0), Busy) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


class Slept(list[float]):
    """Sleeps by writing down."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


class Frozen(Clock):
    """Stands still."""

    def now_ms(self) -> int:
        return 7_000


def event(number: int) -> dict[str, Any]:
    return {"type": "page", "messageId": f"m-{number}"}


def test_busy_means_again_after_the_time_that_was_asked_for(server: str) -> None:
    Busy.answers += [(503, {"Retry-After": "2"}, {}), (429, {"Retry-After": "4"}, {})]
    slept = Slept()
    poster = Poster(Instance(server, sleep=slept), "key")
    poster.send(event(1), 0)
    poster.flush()
    assert slept == [2.0, 4.0]
    assert Busy.batches == [[event(1)]]
    assert poster.posted.accepted == {"page": 1}


def test_a_collector_that_stays_busy_is_given_up(server: str) -> None:
    Busy.answers += [(503, {"Retry-After": "30"}, {"message": "the broker is away"})] * 5
    poster = Poster(Instance(server, sleep=Slept()), "key")
    poster.send(event(1), 0)
    with pytest.raises(Unreachable, match="the broker is away"):
        poster.flush()


def test_order_is_kept_over_batches_and_rejected_events_are_counted_by_reason(server: str) -> None:
    rejected = [{"index": 3, "reason": "bad_field"}, {"index": 5, "reason": "bad_field"}]
    Busy.answers += [(200, {}, {"success": True, "rejected": rejected})]
    poster = Poster(Instance(server, sleep=Slept()), "key")
    for number in range(BATCH_EVENTS + 20):
        poster.send(event(number), number)
    poster.flush()
    assert [len(batch) for batch in Busy.batches] == [BATCH_EVENTS, 20]
    assert [one for batch in Busy.batches for one in batch] == [
        event(number) for number in range(BATCH_EVENTS + 20)
    ]
    assert poster.posted.accepted == {"page": BATCH_EVENTS + 18}
    assert poster.posted.rejected == {"page": 2}
    assert poster.posted.reasons == {"bad_field": 2}


def test_large_events_make_smaller_batches(server: str) -> None:
    poster = Poster(Instance(server, sleep=Slept()), "key")
    for number in range(40):
        poster.send(event(number) | {"properties": {"text": "x" * 20_000}}, 0)
    poster.flush()
    assert sum(map(len, Busy.batches)) == 40
    assert all(len(json.dumps(batch)) < 500_000 for batch in Busy.batches)


@pytest.mark.parametrize(("status", "says"), [(401, "write key"), (400, "answered 400")])
def test_what_will_never_be_taken_is_a_usage_error(server: str, status: int, says: str) -> None:
    Busy.answers += [(status, {}, {"message": "no"})]
    poster = Poster(Instance(server, sleep=Slept()), "key")
    poster.send(event(1), 0)
    with pytest.raises(UsageError, match=says):
        poster.flush()


def test_paced_events_wait_as_long_as_they_did_divided_by_the_speed(server: str) -> None:
    slept = Slept()
    poster = Poster(Instance(server, sleep=slept), "key", Pace(Frozen(0, 0, 100.0), slept))
    for number, happened in enumerate((1_000_000, 1_000_001, 1_030_000)):
        poster.send(event(number), happened)
    # The two that were together have gone before the wait for the third.
    assert Busy.batches == [[event(0), event(1)]]
    assert slept == [pytest.approx(0.3)]


def test_the_clock_is_the_instances(server: str) -> None:
    clock = clock_of(Instance(server))
    assert clock.speed == 100.0
    assert clock.now_ms() >= 5_000


def test_the_write_key_is_the_one_given_then_the_settings(server: str) -> None:
    instance = Instance(server)
    assert write_key_of(instance, "given", {"known"}) == "given"
    assert write_key_of(instance, None, {"b", "a"}) == "a"
    with pytest.raises(UsageError, match="--write-key"):
        write_key_of(instance, None, ())
