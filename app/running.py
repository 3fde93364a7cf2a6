"""What `dripline up` was asked for, and what runs of it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from app.clock import Clock
from app.embedded.broker import EmbeddedBroker
from app.embedded.catcher import Catcher
from app.embedded.inbox import Inbox
from app.settings import Settings
from app.supervisor import Child


class Wishes(Struct, frozen=True):
    """What was said on the command line; None: the setting, or the default."""

    demo: bool = False
    speed: float = 1.0
    kafka: str | None = None
    campaigns: Path | None = None
    port: int | None = None
    seed: int = 1


class Running(Struct, frozen=True):
    """What runs: the settings in force for every role, and what the parent holds itself.

    `inbox` is None when mails go to DRIPLINE_SMTP, `broker` when Kafka is somebody else's.
    """

    settings: Settings
    wishes: Wishes
    clock: Clock
    broker: EmbeddedBroker | None
    inbox: Inbox | None
    catcher: Catcher
    children: tuple[Child, ...]

    @property
    def url(self) -> str:
        """Where the page is, for this machine."""
        host = self.settings.host
        shown = "127.0.0.1" if host in ("0.0.0.0", "::", "localhost") else host  # noqa: S104
        return f"http://{shown}:{self.settings.port}"

    @property
    def write_key(self) -> str:
        """One of the write keys."""
        return min(self.settings.keys())
