"""ClickHouse in this process, from the package chdb: what `dripline up` and small machines use.

One process owns a folder; a second one is refused by the lock that ClickHouse keeps in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from chdb.session import Session

from projections.store import Answer, Refused
from schemas.errors import UsageError

_text = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
INSERT_SETTINGS = "SETTINGS async_insert = 0, max_partitions_per_insert_block = 0"


class ChdbStore:
    """A store in `folder`, made when it is not there. Raises `UsageError` when it is in use."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            session: Any = Session
            self._session: Any = session(str(folder))
            self._session.query("SELECT 1")
        except Exception as error:
            raise UsageError(
                f"the tables in {folder} cannot be opened ({str(error)[:200]}): one process at a "
                "time uses a chDB folder; stop the projector, or ask the running one"
            ) from error

    def execute(self, sql: str) -> None:
        """See `Store`."""
        self._run(sql)

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """See `Store`. A column goes as one JSON array; numbers are ticks of a `DateTime64`."""
        data = _text(list(columns.values())).decode()
        names = ", ".join(columns)
        self._run(
            f"INSERT INTO {table} ({names}) {INSERT_SETTINGS} FORMAT JSONCompactColumns {data}"
        )

    def query(self, sql: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """See `Store`."""
        raw = self._run(sql, "JSONCompact", dict(parameters or {}))
        if not raw:
            return Answer((), [])
        found = _decode(raw)
        return Answer(
            tuple(column["name"] for column in found["meta"]),
            [tuple(row) for row in found["data"]],
        )

    def close(self) -> None:
        """See `Store`."""
        self._session.close()

    def _run(self, sql: str, form: str = "CSV", parameters: dict[str, str] | None = None) -> bytes:
        try:
            answer = self._session.query(sql, form, params=parameters or {})
        except RuntimeError as error:
            raise Refused(f"ClickHouse: {str(error)[:2_000]}") from error
        return bytes(answer.bytes() or b"")
