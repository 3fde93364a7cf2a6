"""Reading the changelog of sends: what the owners of a partition left behind.

The last record of a command counts, of those whose writer was the owner: behind a fence only the
one who wrote it is. A former owner that wrote behind it was told so before it acted on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from schemas import commands
from schemas.errors import Halt
from schemas.state import FENCE_KEY, MARKER_KEY, Marker, decode_marker
from streams.delivery.done import Done
from streams.delivery.sends import TOLD, OpenSend, Send, decode, open_send


class Recovered:
    """What was read. `epoch` names the newest fence, 0 before the first.

    `rounds` has (round, letter) of told commands that were retried by hand. `again` are commands
    of which the last record is not the one that counts: that one is to be written again.
    """

    def __init__(self) -> None:
        self.done = Done()
        self.rounds: dict[bytes, tuple[int, str]] = {}
        self.marker: Marker | None = None
        self.marker_again = False
        self.again: set[bytes] = set()
        self.epoch = 0
        self._open: dict[bytes, Send] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """One record, in order. Raises `Halt` for one that is not ours."""
        if key == FENCE_KEY:
            self.epoch = _epoch(value)
        elif key == MARKER_KEY:
            self._take_marker(value)
        elif not key.startswith(b"\0"):
            self._take_send(key, value)

    def open_sends(self) -> Iterator[OpenSend]:
        """What has no told result. Raises `Halt` when one cannot be read."""
        for name, send in self._open.items():
            try:
                command = commands.DECODE(send.value)
            except msgspec.MsgspecError as error:
                raise Halt(
                    f"an open send of delivery cannot be read: {name.hex()}: {error}"
                ) from None
            yield open_send(name, send, command)

    def _take_marker(self, value: bytes | None) -> None:
        marker = None if value is None else decode_marker(value)
        if marker is not None and self._owned(marker.generation):
            self.marker, self.marker_again = marker, False
        else:
            self.marker_again = True

    def _take_send(self, key: bytes, value: bytes | None) -> None:
        name = name_of(key)
        send = None if value is None else decode(key, value)
        if send is not None and not self._owned(send.epoch):
            self.again.add(name)
            return
        self.again.discard(name)
        self._open.pop(name, None)
        self.rounds.pop(name, None)
        self.done.discard(name)
        if send is not None and send.status == TOLD:
            self.done.add(name, send.at_ms)
            if send.round:
                self.rounds[name] = (send.round, send.letter)
        elif send is not None:
            self._open[name] = send

    def _owned(self, epoch: int) -> bool:
        """Compaction takes old fences away; before the first one that is left, all count."""
        return self.epoch in (0, epoch)


def name_of(key: bytes) -> bytes:
    """The 16 bytes of a changelog key. Raises `Halt`."""
    try:
        return bytes.fromhex(key.decode())
    except ValueError:
        raise Halt(f"the changelog of delivery holds a key that is not ours: {key!r}") from None


def _epoch(fence: bytes | None) -> int:
    """A number for a fence, never 0: fences differ in their values."""
    return int.from_bytes(blake2b(fence or b"", digest_size=7).digest()) + 1
