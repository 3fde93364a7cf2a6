"""Every error of the project; the type carries the policy.

::

    DriplineError
    ├── UsageError     the person's input is wrong                     exit status 2
    ├── Unreachable    a service cannot be reached                     exit status 3
    ├── Halt           a role ends itself to stay correct              exit status 70
    ├── DataError      one record cannot be used: dead letter, go on
    ├── Retry          the outside world said: later                   (sinks)
    └── Reject         the outside world said: never                   (sinks)

Anything else that is raised is a bug and ends the process before anything is acknowledged
(architecture, Errors).
"""

from __future__ import annotations


class DriplineError(Exception):
    """Root of the tree."""

    exit_status = 1


class UsageError(DriplineError):
    """What was asked cannot be done as written; the message says what to write instead."""

    exit_status = 2


class Unreachable(DriplineError):
    """A service did not answer; the message names it and its address."""

    exit_status = 3


class Halt(DriplineError):
    """Going on would lose or invent something; the message says what a person has to decide."""

    exit_status = 70


class DataError(DriplineError):
    """One record is bad as data.

    `reason` is a stable word in snake case (`unknown_schema`, `wrong_partition`, …), `detail`
    says for a person what is wrong with which field.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Retry(DriplineError):
    """The call may succeed later; `after_seconds` is the other side's wish (`Retry-After`)."""

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_seconds = after_seconds


class Reject(DriplineError):
    """The call will never succeed; `bounced` tells that the address itself is bad."""

    def __init__(self, reason: str, *, bounced: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.bounced = bounced
