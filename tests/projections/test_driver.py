"""The driver against a real server, Debian's 18.16: too old for our tables, so a plain one.

What is seen here: connecting, insert blocks, errors, reconnecting.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.clickhouse_store import ClickHouseStore
from projections.store import Refused
from schemas.errors import Unreachable

CONFIG = """<yandex>
<logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>
<tcp_port>{port}</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path>
<mark_cache_size>67108864</mark_cache_size><users_config>{folder}/users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>"""
USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default>
<password></password><networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></default></users></yandex>"""
PATIENCE_SECONDS = 60.0


class Server:
    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._folder = folder
        (folder / "config.xml").write_text(CONFIG.format(folder=folder, port=self.port))
        (folder / "users.xml").write_text(USERS)

    @property
    def url(self) -> str:
        return f"clickhouse://127.0.0.1:{self.port}/dripline"

    def start(self) -> None:
        words = ["clickhouse-server", f"--config-file={self._folder}/config.xml"]
        with (self._folder / "out").open("ab") as out:
            self.process = subprocess.Popen(words, cwd=self._folder, stdout=out, stderr=out)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self._folder / "out").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if shutil.which("clickhouse-server") is None:
        pytest.skip("no clickhouse-server: apt-get install clickhouse-server")
    one = Server(tmp_path)
    one.start()
    yield one
    one.kill()


def test_blocks_errors_and_reconnecting(server: Server) -> None:
    store = ClickHouseStore(server.url, insert_settings={})
    store.execute("CREATE TABLE default.plain (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
    numbers = list(range(100_000))
    store.insert("default.plain", {"a": numbers, "b": [f"é{n}" for n in numbers]})

    with pytest.raises(Refused, match="nowhere"):
        store.query("SELECT nowhere FROM default.plain")
    with pytest.raises(Refused, match="absent"):
        store.insert("default.absent", {"a": [1]})
    answer = store.query("SELECT count() AS n, sum(a) AS s, max(b) AS b FROM default.plain")
    assert answer.columns == ("n", "s", "b")
    assert answer.rows == [(100_000, sum(numbers), "é99999")]

    server.kill()
    with pytest.raises(Unreachable, match=str(server.port)):
        store.insert("default.plain", {"a": [1], "b": ["x"]})
    server.start()
    store.insert("default.plain", {"a": [1], "b": ["x"]})
    assert store.query("SELECT count() FROM default.plain").rows == [(100_001,)]
    store.close()
