"""What all tests share: the real broker, the real traffic, and no silent skips in CI."""

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.kafka.server import JARS, KafkaServer

ROOT = Path(__file__).parents[1]

# No test asserts a time, and a failure is printed so that it can be run again.
settings.register_profile("dripline", deadline=None, print_blob=True)
settings.load_profile("dripline")

# Skips that CI accepts (DRIPLINE_REQUIRE_REAL=1), by the beginning of their reason. Every other
# skip there is a real part that was not tested, and fails it.
SKIPS_ALLOWED: tuple[str, ...] = ()

# Taken out of the environment: roles that tests start refuse DRIPLINE_* names they do not know.
REQUIRE_REAL = os.environ.pop("DRIPLINE_REQUIRE_REAL", "") == "1"

_broker = pytest.StashKey[KafkaServer]()


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Undo what a role or command that ran inside the test did to logging: it ends with a stream
    of the test's own, which is closed by then."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    disabled = logging.root.manager.disable
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(disabled)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[KafkaServer]:
    """Give a real, running broker, shared by the session: take topic and group names of your own.

    A test that restarts it leaves it running. One that needs other settings of the broker makes
    its own `KafkaServer(tmp_path, {...})`.
    """
    if not JARS.is_dir():
        pytest.skip("no Kafka jars: run `make test`, or `make .kafka/.jars-done` once")
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        pytestconfig.stash[_broker] = server
        yield server


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of the real traffic, `shared/data` in or above the checkout."""
    for folder in (ROOT, *ROOT.parents):
        if (folder / "shared" / "data").is_dir():
            return folder / "shared" / "data"
    pytest.skip("no shared/data in or above this checkout: the real access log is not tested")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes the broker, so that `-m 'not kafka'` is a fast run without it."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Refuse skips in CI; add the end of the broker's log to the report of a failure."""
    report = yield
    _refuse_skip(report)
    server = item.config.stash.get(_broker, None)
    if report.failed and server is not None and "kafka" in getattr(item, "fixturenames", ()):
        report.sections.append(("end of the broker's log", server.log_end()))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse skips of whole modules in CI."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where every real part must be tested."""
    if not REQUIRE_REAL or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(SKIPS_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped where DRIPLINE_REQUIRE_REAL=1 allows no skip: {reason}"
