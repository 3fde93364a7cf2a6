"""A send: one command on its way out, as it lies in the changelog and as it is held in memory.

Its life: *taken in* → *started* (about to be called) → *finished* (the result is durable) → *told*
(the outcome lies in `lead-events`). A try that failed goes from started back to taken in. Each
step is one changelog record under the command's key; the last one counts that its writer wrote
as the owner.

That the result is durable before the outcome is told, and not only after, is what gives a command
one outcome: a crash in between tells the same outcome again, not `unknown`.
"""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from schemas.commands import Command
from schemas.errors import Halt
from streams.delivery.queues import Order

TAKEN = 1
STARTED = 2
FINISHED = 3
TOLD = 4

# Reasons of dead letters.
EXHAUSTED = "retries_exhausted"
REJECTED = "rejected"
HELD = "unknown_held"
NO_SINK = "unknown_channel"

DETAIL_CHARS = 200


class Send(Struct, array_like=True):
    """The stored value. Times are the log's ms; `offset` and `time_ms` are those of the command.

    `epoch` names the fence of the owner that wrote it. `round` counts retries of a dead letter by
    hand, `letter` names the last one taken in. While the send is open, `key`, `value` and
    `headers` are the command's record as it came; a told one keeps none of them. `dead` is the
    reason of the dead letter that goes with the result.
    """

    status: int
    round: int
    epoch: int
    offset: int
    time_ms: int
    at_ms: int
    attempts: int = 0
    not_before_ms: int = 0
    result: str = ""
    detail: str = ""
    dead: str = ""
    letter: str = ""
    key: bytes = b""
    value: bytes = b""
    headers: list[tuple[str, bytes]] = []


class OpenSend(Struct, eq=False):
    """A send without a told result, with what its command says of its place in line.

    `step` counts its changes, `written` is the last one that was handed out to be written. `place`:
    it holds one of the channel's places. `called`: a call is under way. `untold`: the number of
    tickets that must be acknowledged before it is told.
    """

    key: bytes
    send: Send
    id: str
    channel: str
    destination: str
    order: Order
    due_ms: int
    expires_ms: int | None
    address: str | None
    transactional: bool
    issued_ms: int
    size_bytes: int
    step: int = 0
    written: int = -1
    place: bool = False
    queued: bool = False
    called: bool = False
    untold: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Send).decode


def key_of(command: str) -> bytes:
    """16 bytes for a command's id: its own hex digits, or a hash of what is not 32 of them."""
    if len(command) == 32:
        try:
            return bytes.fromhex(command)
        except ValueError:
            pass
    return blake2b(command.encode(), digest_size=16).digest()


def encode(send: Send) -> bytes:
    """The changelog's value; a told send drops the command's record."""
    if send.status == TOLD:
        send = msgspec.structs.replace(send, key=b"", value=b"", headers=[])
    return _encode(send)


def decode(key: bytes, value: bytes) -> Send:
    """Read a changelog value.

    Raises `Halt` when it is not one of ours: going on would send again what may have been sent.
    """
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        raise Halt(
            f"the changelog of delivery holds a record that cannot be read, key {key!r}: {error}; "
            "start the version of Dripline that wrote it"
        ) from None


def open_send(key: bytes, send: Send, command: Command) -> OpenSend:
    """The send of a command, to be held in memory."""
    return OpenSend(
        key=key,
        send=send,
        id=command.id,
        channel=command.channel,
        destination=destination_of(command),
        order=(-command.priority, command.due_ms, command.id),
        due_ms=command.due_ms,
        expires_ms=command.expires_ms,
        address=command.address,
        transactional=command.transactional,
        issued_ms=command.issued_ms,
        size_bytes=len(send.value) + len(send.key) + 512,
    )


def destination_of(command: Command) -> str:
    """The server that a command goes to, where its URL names one without a template; else ""."""
    url = command.settings.get("url")
    if not isinstance(url, str):
        return ""
    try:
        host = urlsplit(url.strip()).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return "" if "{" in host else host.lower()
