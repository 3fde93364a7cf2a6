"""ClickHouse over its native protocol (clickhouse-driver).

A connection that broke is thrown away: the next call makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_driver import Client, errors

from projections.store import Answer, Refused
from schemas.errors import Unreachable

CONNECT_SECONDS = 5
ANSWER_SECONDS = 120
# Today's servers gather inserts unless told not to, and then do not deduplicate them.
INSERT_SETTINGS = {"async_insert": 0, "max_partitions_per_insert_block": 0}


class ClickHouseStore:
    """A store at `clickhouse://[user:pass@]host:port/…`; connects at the first call.

    `insert_settings` are those sent with every insert.
    """

    def __init__(self, url: str, insert_settings: Mapping[str, Any] | None = None) -> None:
        # The tables' names come with their database, which may not be there yet.
        address, _, _ = url.partition("?")
        scheme, _, rest = address.partition("://")
        self._where = rest.rpartition("@")[2].partition("/")[0]
        self._client = Client.from_url(
            f"{scheme}://{rest.partition('/')[0]}/?compression=lz4"
            f"&server_side_params=1&connect_timeout={CONNECT_SECONDS}&send_receive_timeout={ANSWER_SECONDS}"
        )
        self._insert_settings = dict(
            INSERT_SETTINGS if insert_settings is None else insert_settings
        )

    def execute(self, sql: str) -> None:
        """See `Store`."""
        self._run(sql)

    def insert(self, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """See `Store`."""
        self._run(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES",
            [list(values) for values in columns.values()],
            columnar=True,
            types_check=False,
            settings=self._insert_settings,
        )

    def query(self, sql: str, parameters: Mapping[str, str] | None = None) -> Answer:
        """See `Store`."""
        rows, columns = self._run(sql, dict(parameters or {}) or None, with_column_types=True)
        return Answer(tuple(name for name, _ in columns), [tuple(row) for row in rows])

    def close(self) -> None:
        """See `Store`."""
        self._client.disconnect()

    def _run(self, sql: str, data: Any = None, **how: Any) -> Any:
        try:
            return self._client.execute(sql, data, **how)
        except errors.ServerException as error:
            self._client.disconnect()
            raise Refused(f"ClickHouse: {str(error)[:2_000]}") from error
        except (errors.Error, OSError, EOFError) as error:
            self._client.disconnect()
            raise Unreachable(
                f"ClickHouse at {self._where}: {type(error).__name__}: {str(error)[:200]}"
            ) from error
