"""How a role ends itself to stay correct: at once, with status 70, nothing more acknowledged.

Going on after an error in transport, recovery or producing would lose or invent something; what
is durable is enough to begin again (architecture, Errors). An orderly stop would still flush and
commit, so the process is ended without one.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from schemas.errors import Halt

STATUS = 70
T = TypeVar("T")
log = logging.getLogger(__name__)
_exit: Callable[[int], NoReturn] = os._exit


def end_process(reason: str) -> NoReturn:
    """Say why, and end this process with status 70; works from any thread.

    It ends also when nobody can be told any more: a closed standard error must not keep alive
    what has to die.
    """
    with suppress(Exception):
        log.critical("ended to stay correct: %s", reason)
        for handler in logging.getLogger().handlers:
            handler.flush()
        sys.stderr.flush()
    _exit(STATUS)


def end_for(error: BaseException, doing: str) -> NoReturn:
    """End for an error: a `Halt` is its own message, of a bug we show where it was raised.

    Only code places are shown, not the error's text: it may hold a lead's data.
    """
    if isinstance(error, Halt):
        end_process(str(error))
    places = traceback.extract_tb(error.__traceback__)[-6:]
    where = " < ".join(f"{place.filename}:{place.lineno}" for place in reversed(places))
    end_process(f"{type(error).__name__} while {doing} ({where})")


async def or_end(work: Callable[[], Coroutine[Any, Any, T]], doing: str) -> T:
    """Call and await; any error but a cancellation ends the process."""
    try:
        return await work()
    except Exception as error:
        end_for(error, doing)


class Deadline:
    """Ends the process unless the `with` block is left in time, even when the loop is stuck."""

    def __init__(self, seconds: float, doing: str) -> None:
        self._timer = threading.Timer(
            seconds, end_process, [f"{doing} was not done in {seconds:.0f} s"]
        )
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
