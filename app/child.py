"""A child of `dripline up` ends with its parent: when its standard input closes.

Whatever ends the parent, also SIGKILL, closes the pipe; no child is left behind.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping

SIGN = "DRIPLINE_PARENT"


def end_with_parent(environ: Mapping[str, str] = os.environ) -> None:
    """If `DRIPLINE_PARENT=1`: send this process SIGTERM (drain and stop) when stdin closes."""
    if environ.get(SIGN) == "1":
        threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    while os.read(0, 4_096):  # not sys.stdin: its lock would be held while the process ends
        pass
    os.kill(os.getpid(), signal.SIGTERM)
