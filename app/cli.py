"""The command `dripline`: one entry, exit statuses from the error tree.

Exit status: 0 done; 1 the thing asked about is not so (a finding, a failed scenario, a digest that
differs); 2 wrong usage or bad input; 3 a service cannot be reached; 70 a role ended itself to stay
correct, or a bug: start it again. A traceback is shown only with `--debug`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version

import cyclopts
from cyclopts import CycloptsError

from app import (
    cli_campaigns,
    cli_dead_letters,
    cli_import,
    cli_leads,
    cli_roles,
    cli_setup,
    cli_stream,
    cli_try,
)
from schemas.errors import DriplineError

BUG_STATUS = 70
INTERRUPTED_STATUS = 130
USAGE_STATUS = 2


def version_text() -> str:
    """The version, with that of the time zones: they are part of how a log folds."""
    return f"dripline {version('dripline')} (tzdata {version('tzdata')})"


app = cyclopts.App(
    name="dripline",
    help="An event-sourced campaign engine on Kafka. --debug shows tracebacks.",
    version=version_text,
    help_format="markdown",
    version_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)
for module in (
    cli_roles,
    cli_campaigns,
    cli_try,
    cli_leads,
    cli_import,
    cli_stream,
    cli_dead_letters,
    cli_setup,
):
    module.register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status; a command returns None (0) or a status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        result = app(words)
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(str(error), USAGE_STATUS, debug)
    except DriplineError as error:
        return _complain(str(error), error.exit_status, debug)
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except BrokenPipeError:
        # Whoever read our output has gone: `dripline export | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        said = f"this is a bug: {type(error).__name__}: {error} (--debug shows where)"
        return _complain(said, BUG_STATUS, debug)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _complain(message: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"dripline: {message}", file=sys.stderr)
    return status
