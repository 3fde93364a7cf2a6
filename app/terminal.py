"""What commands print: people read lines, machines one JSON object a line (`--json`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

Json = Annotated[
    bool, Parameter(name="--json", negative=(), help="One JSON object a line, for machines.")
]
Url = Annotated[
    str | None,
    Parameter(name="--url", help="The running instance; default DRIPLINE_PUBLIC_URL, else local."),
]


def say(text: str = "") -> None:
    """One line of human output."""
    print(text)


def note(text: str) -> None:
    """One line beside the output: progress, hints; stderr."""
    print(text, file=sys.stderr, flush=True)


def json_line(value: Any) -> None:
    """One JSON object as a line of output."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table that stays whole where the output is not a terminal."""
    shown = Table(*columns, title=title or None, box=None, pad_edge=False, title_justify="left")
    for row in rows:
        shown.add_row(*(str(cell) for cell in row))
    console().print(shown)


def console(*, stderr: bool = False) -> Console:
    """A console as wide as it needs to be off a terminal; nothing is read as markup."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 500
    return Console(stderr=stderr, width=width, markup=False, highlight=False, soft_wrap=False)


def progress() -> Progress:
    """A progress bar on stderr, off when that is not a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def pairs(values: Mapping[str, object]) -> str:
    """`a 1, b 2` from a mapping, empty values left out."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)
