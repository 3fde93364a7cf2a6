"""Why something that came over HTTP is not taken, with the status that says so.

Source: interfaces, "HTTP: collector", Bad input.
"""

from __future__ import annotations

from typing import Any

from schemas.errors import DataError, DriplineError


class BadInput(DataError):
    """What came cannot be used as it is.

    `field` names the place in the JSON body (`properties`, `batch`, `body` for the whole);
    `status` is what a request that holds nothing else is answered with.
    """

    def __init__(self, reason: str, field: str, detail: str, status: int = 400) -> None:
        super().__init__(reason, detail)
        self.field = field
        self.status = status

    def answer(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {
            "success": False,
            "reason": self.reason,
            "field": self.field,
            "message": f"{self.field} {self.detail}",
        }


class Unavailable(DriplineError):
    """The broker cannot take it now; the client should come again in `after_seconds`."""

    def __init__(self, reason: str, after_seconds: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_seconds = after_seconds
