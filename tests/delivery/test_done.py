"""The packed set of finished commands against a plain one."""

from __future__ import annotations

import random

from streams.delivery.done import Done
from streams.delivery.policy import DAY_MS


def test_it_is_a_set_that_forgets_whole_days() -> None:
    chance = random.Random(7)
    done = Done()
    model: dict[bytes, int] = {}
    for _ in range(5_000):
        key = bytes([chance.randrange(4), chance.randrange(4)]) + chance.randbytes(14)
        at = chance.randrange(20) * DAY_MS + 5
        assert (key in done) is (key in model)
        done.add(key, at)
        model[key] = at
        if chance.random() < 0.1:
            lost = chance.choice(list(model))
            done.discard(lost)
            del model[lost]
    # Bytes that straddle two neighbours are no member.
    first, second = chance.randbytes(16), chance.randbytes(16)
    done.add(first, 0)
    done.add(first[:2] + second[2:], 0)

    assert first[8:] + (first[:2] + second[2:])[:8] not in done
    done.discard(first)
    done.discard(first[:2] + second[2:])
    forgotten = set(done.forget_before(10 * DAY_MS))
    assert forgotten == {key for key, at in model.items() if at < 10 * DAY_MS}
    assert len(done) == len(model) - len(forgotten)
    assert all(key in done for key, at in model.items() if at >= 10 * DAY_MS)
    assert not any(key in done for key in forgotten)
