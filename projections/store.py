"""What a store of projections does: ClickHouse, over the network or inside the process (chDB).

Both run the same SQL files. A store is used by one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from schemas.errors import DriplineError


class Refused(DriplineError):
    """ClickHouse understood and said no: wrong SQL, a type that does not fit. No retry helps."""

    exit_status = 2


class Answer(Struct, frozen=True):
    """A query's answer: column names, and rows of plain values (times as text in chDB)."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Store(Protocol):
    """Raises `Unreachable` when the server does not answer (retry), `Refused` when it says no."""

    def execute(self, sql: str) -> None:
        """Run a statement that answers nothing."""

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows, all of them durable on return; one sequence a column, times in UTC ms.

        The table's name comes with its database.
        """

    def query(self, sql: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """Ask; `{name:Type}` in the SQL takes the parameter of that name."""

    def close(self) -> None:
        """Let go of connections and locks."""
