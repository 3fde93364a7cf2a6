"""Templates of campaigns: Liquid with every limit set, MJML, and the texts by their digest.

Authors write Liquid and leads' data goes into it; neither may hold delivery up or reach anything
else. A missing value, and one that a filter cannot use, renders as nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from decimal import DecimalException
from functools import lru_cache
from typing import Any

import mrml
from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError, ResourceLimitError

from schemas import changes
from schemas.errors import Reject
from streams.ports import LogRecord

LOOPS_MAX = 10_000
NAMESPACE_BYTES_MAX = 256 * 1024
OUTPUT_BYTES_MAX = 512 * 1024
NESTING_MAX = 30
COMPILED_MAX = 512


class Liquid(Environment):
    """Liquid for strangers: three of its limits are none by default."""

    block_nesting_limit = NESTING_MAX
    context_depth_limit = 10
    loop_iteration_limit = LOOPS_MAX
    local_namespace_limit = NAMESPACE_BYTES_MAX
    output_stream_limit = OUTPUT_BYTES_MAX

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """The standard ones; a filter that cannot use a value gives nothing."""
        super().setup_tags_and_filters(extra=extra)
        for name, filter_ in self.filters.items():
            self.filters[name] = _forgiving(filter_)


def _forgiving(filter_: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(filter_)
    def apply(*values: Any, **options: Any) -> Any:
        try:
            return filter_(*values, **options)
        except ResourceLimitError:
            raise
        except (LiquidError, ValueError, TypeError, ArithmeticError, DecimalException):
            return ""

    return apply


_ENVIRONMENTS = {True: Liquid(autoescape=True), False: Liquid(autoescape=False)}


@lru_cache(maxsize=COMPILED_MAX)
def _compiled(source: str, html: bool) -> BoundTemplate:
    return _ENVIRONMENTS[html].from_string(source)


def render(source: str, data: Mapping[str, Any], what: str, *, html: bool = False) -> str:
    """Fill a Liquid source with values; with `html` they are escaped.

    Raises `Reject` when the source is bad or a limit is met; the message names `what`.
    """
    try:
        return str(_compiled(source, html).render(data))
    except LiquidError as error:
        raise Reject(f"template: {what}: {str(error.message).splitlines()[0]}") from None
    except RecursionError:
        raise Reject(f"template: {what}: it is nested too deeply") from None


class Template:
    """One published template: Liquid sources, "" where a part is absent."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.subject = str(document.get("subject") or "")
        self.text = str(document.get("text") or "")
        self._html = str(document.get("html") or "")
        self._mjml = str(document.get("mjml") or "")

    @property
    def needs_inlining(self) -> bool:
        """MJML comes out with its styles in place."""
        return not self._mjml

    @property
    def html(self) -> str:
        """The HTML source; MJML is compiled when it is first asked for.

        Raises `Reject` when the MJML is bad.
        """
        if self._mjml and not self._html:
            try:
                self._html = mrml.to_html(self._mjml).content
            except Exception as error:  # the compiler raises plain OSError for what it dislikes
                raise Reject(f"template: {self.name} is no MJML: {error}") from None
        return self._html


class Templates:
    """Every template that was ever published, by digest: what a command names."""

    def __init__(self) -> None:
        self._by_digest: dict[str, Template] = {}

    def heard(self, record: LogRecord) -> None:
        """Take in one record of `campaign-changes`."""
        change = changes.DECODE(record.value or b"")
        if change.kind == "template":
            self._by_digest[change.digest] = Template(change.id, change.document)

    def by_digest(self, digest: str | None) -> Template | None:
        """The template, or None when it is not there (yet)."""
        return self._by_digest.get(digest or "")
