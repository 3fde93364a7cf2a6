"""One chDB a test session: a process may hold one folder at a time."""

from collections.abc import Iterator

import pytest

from projections import tables
from projections.chdb_store import ChdbStore
from projections.migrating import migrate


@pytest.fixture(scope="session")
def _chdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbStore]:
    store = ChdbStore(tmp_path_factory.mktemp("chdb"))
    yield store
    store.close()


@pytest.fixture
def bare(_chdb: ChdbStore) -> Iterator[ChdbStore]:
    """Without the database, before and after."""
    _chdb.execute("DROP DATABASE IF EXISTS dripline")  # SYNC waits for ever
    yield _chdb
    _chdb.execute("DROP DATABASE IF EXISTS dripline")


@pytest.fixture
def chdb(_chdb: ChdbStore) -> ChdbStore:
    """With all tables, empty."""
    migrate(_chdb)
    for table in tables.COLUMNS:
        _chdb.execute(f"TRUNCATE TABLE dripline.{table}")
    return _chdb
