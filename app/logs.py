"""Logs: structlog over the standard library, JSON lines unless somebody sits at a terminal.

Values and addresses are never logged. Our own code passes names of things (campaign, topic,
partition, offset) as fields; what other libraries say goes through the same pipe, where anything
that looks like a mail address is blanked, fields that would hold a lead's data are dropped, and a
library that repeats itself is cut to a few lines per ten seconds.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from app import metrics
from app.clock import Clock, system_clock

_ADDRESS = re.compile(r"[^\s<>\"'(),:;]+@[^\s<>\"'(),:;]+\.\w+")
_PRIVATE = frozenset(
    {"address", "body", "context", "data", "email", "headers", "key", "properties", "secret",
     "token", "traits", "value", "write_key"}
)  # fmt: skip
# Their records are built even when nobody prints them, unless the logger itself is set higher.
_LIBRARIES = (
    "aiohttp", "aiokafka", "aiosmtplib", "asyncio", "faust", "kafka", "mail", "mode", "uvicorn",
)  # fmt: skip
_WINDOW_SECONDS = 10.0
_LINES_A_WINDOW = 5

Event = MutableMapping[str, Any]


class RateLimit(logging.Filter):
    """Lets a logger say the same (by its template) at most five times in ten seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._began: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is let through; what is not is counted on a metric."""
        if record.name.startswith(("app.", "streams.")):
            return True
        now = self._clock.monotonic()
        key = (record.name, str(record.msg)[:80])
        began, lines = self._began.get(key, (now, 0))
        if now - began > _WINDOW_SECONDS:
            began, lines = now, 0
        if len(self._began) > 1_000:
            self._began.clear()
        self._began[key] = (began, lines + 1)
        if lines >= _LINES_A_WINDOW:
            metrics.LOG_LINES_LEFT_OUT.labels(record.name.partition(".")[0]).inc()
            return False
        return True


def _without_values(_: object, __: str, event: Event) -> Event:
    """Blank addresses in texts; drop fields that would hold a lead's data."""
    for name in list(event):
        if name in _PRIVATE:
            event[name] = "(not logged)"
        elif isinstance(event[name], str):
            event[name] = _ADDRESS.sub("(address)", event[name])
    return event


def configure(
    role: str,
    level: str = "info",
    form: Literal["auto", "json", "console"] = "auto",
    clock: Clock | None = None,
) -> None:
    """Set up logging for this process, to stderr; called once by each entry point."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.contextvars.merge_contextvars,
    ]
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RateLimit(clock or system_clock()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_values,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)


def log(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log = logs.log(__name__)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
