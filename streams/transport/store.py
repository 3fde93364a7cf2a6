"""The store under Faust's table: hands changelog records on to the partition objects.

A table of Faust's own keeps the last value of a key, swallows errors while a changelog is applied,
and keeps keys of partitions that have left. Here the object keeps the value with the highest
watermark, an error ends the process, and objects are made anew at every assignment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from faust.stores import memory
from faust.tables.table import Table
from faust.types import TP

from streams.transport import ending
from streams.transport.batches import BatchSchema
from streams.transport.driver import Driver


class Store(memory.Store):  # type: ignore[type-arg]
    """No data of its own; nothing is ever written through it."""

    mundane_level = "debug"

    driver: Driver[Any]

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],
        to_value: Callable[[Any], Any],
    ) -> None:
        """Each event holds the records of one poll; Faust swallows what is raised here."""
        try:
            for event in batch:
                self.driver.recovery.take(event.message.partition, event.value)
        except Exception as error:
            ending.end_for(error, "recovering")

    def persisted_offset(self, tp: TP) -> int:
        """The offset before the first one to be read: what lies before is in a kept object.

        None would let Faust go on where an earlier, interrupted recovery came to, with the
        objects of that recovery gone.
        """
        return self.driver.recovery.first_offset(tp.partition) - 1

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Nothing of other partitions is here."""


class StateTable(Table):  # type: ignore[type-arg]
    """A table whose changelog comes in batches, into the driver."""

    mundane_level = "debug"

    def _new_store(self) -> Any:
        return Store("memory://", self.app, self)

    def read_into(self, driver: Driver[Any]) -> None:
        """Called once, before the app starts."""
        store: Any = self.data
        store.driver = driver
        changelog: Any = self.changelog_topic
        changelog.schema = BatchSchema(key_type=bytes, value_type=bytes)
        changelog._compile_decode()
        # With 1 Faust goes on consuming the changelog after the recovery (recovery.py).
        self.recovery_buffer_size = 2
