"""What a role may want to measure of the transport; nothing by default."""

from __future__ import annotations

from streams.ports import Produce


class Watch:
    """Called on hot paths, once a batch: count, do not compute."""

    def handed_over(self, records: int) -> None:
        """A batch of so many records was handed to a partition object."""

    def acknowledged(
        self, produce: Produce, record_ms: int | None, now_ms: int, seconds: float
    ) -> None:
        """Everything of `produce` is durable, `seconds` after it was asked for.

        `record_ms` is the time of the last record handed over before it, `now_ms` the log's time.
        """
