"""The log's clock: shared by text, sped up, refused when malformed."""

import time

import pytest

from app.clock import clock_of, shared_clock, starting_clock, system_clock
from schemas.errors import UsageError


def test_two_clocks_of_one_text_agree_and_run_at_their_speed() -> None:
    first = starting_clock(3600.0, log_ms=1_000_000_000_000)
    second = shared_clock(first.text())
    before = first.now_ms()
    between = second.now_ms()
    after = first.now_ms()
    assert 1_000_000_000_000 <= before <= between <= after
    assert second.speed == 3600.0


def test_log_time_is_the_start_plus_speed_times_real_time() -> None:
    start = time.monotonic_ns() - 2_000_000_000
    now = shared_clock(f"{start}:5000:100.0").now_ms()
    assert now >= 5000 + 200_000
    assert (now - 5000) // 100 <= (time.monotonic_ns() - start) // 1_000_000


def test_the_system_clock_is_the_machines() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= system_clock().now_ms() <= time.time_ns() // 1_000_000
    assert system_clock().speed == 1.0
    assert clock_of(None).speed == 1.0


@pytest.mark.parametrize("text", ["", "1:2", "1:2:x", "1:2:0", "1:2:-1", "1:2:nan", "1:2:3:4"])
def test_a_malformed_clock_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="DRIPLINE_CLOCK"):
        shared_clock(text)
