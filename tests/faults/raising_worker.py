"""The role `worker` with an engine that raises for one lead.

`python -m tests.faults.raising_worker worker`. Only what a bug in the engine would do is put
in; everything else is the role itself.
"""

import sys
from functools import partial
from typing import Any

from app import worker
from app.settings import load_settings
from streams.engine.handle import handle
from streams.partition.partition import LeadPartition

CURSED = "cursed"


def raising(lead: Any, record: Any, *arguments: Any, **options: Any) -> Any:
    """Handle, but for one lead."""
    if record.lead == CURSED:
        raise ZeroDivisionError("a bug in the engine")
    return handle(lead, record, *arguments, **options)


if __name__ == "__main__":
    worker.LeadPartition = partial(LeadPartition, handle=raising)  # type: ignore[misc,assignment]
    sys.exit(worker.main(load_settings()))
