"""A campaign as a graph: nodes and edges as data, as Mermaid text, as SVG.

The same definition always gives the same graph, text and picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.campaigns import Definition
from streams.engine import drawing
from streams.engine.graph_nodes import Edge, Graph, Kind, Node, graph_of
from streams.engine.wording import header_lines

__all__ = ["Edge", "Graph", "Kind", "Node", "graph_of", "mermaid", "svg"]


def mermaid(definition: Definition) -> str:
    """The graph as a Mermaid flowchart."""
    graph = graph_of(definition)
    lines = ["flowchart TD"]
    lines += [f"  %% {line}" for line in _comments(definition)]
    for node in graph.nodes:
        left, right = _MERMAID.get(node.kind, ("[", "]"))
        lines.append(f'  {node.id}{left}"{_escaped(node)}"{right}')
    for edge in graph.edges:
        arrow = "-.->" if edge.jump else "-->"
        label = f'|"{_plain(edge.label)}"|' if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
    return "\n".join(lines) + "\n"


_MERMAID: Final[dict[str, tuple[str, str]]] = {
    "start": ("([", "])"), "end": ("([", "])"), "exit": ("([", "])"),
    "decision": ("{", "}"), "wait": ("[/", "/]"), "jump": (">", "]"), "message": ("[[", "]]"),
}  # fmt: skip


def _comments(definition: Definition) -> list[str]:
    return [" ".join(line.split()) for line in (definition.id, *header_lines(definition))]


def _escaped(node: Node) -> str:
    text = _plain(node.text)
    return f"<b>{node.verb}</b><br/>{text}" if text else f"<b>{node.verb}</b>"


def _plain(text: str) -> str:
    """A text inside Mermaid's quotes: its signs as character codes."""
    shown = text if len(text) <= 120 else text[:119] + "…"
    return "".join(
        f"#{ord(character)};" if character in '"#;<>&|{}[]()`\\%' else character
        for character in " ".join(shown.split())
    )


def svg(definition: Definition, badges: Mapping[str, str] | None = None) -> str:
    """The graph as a picture that stands alone; `badges` are short texts by step id (counts)."""
    return drawing.picture(definition, badges or {})
