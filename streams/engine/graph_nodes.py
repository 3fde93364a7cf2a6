"""A campaign's graph as data: its steps as nodes, with edges to what can come next."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from schemas.campaigns import Definition, Step
from schemas.language import STEP
from streams.engine.flow import END, Flow, ends, flow_of
from streams.engine.wording import branch_text, step_text, triggers_text

Kind = Literal["start", "end", "message", "outward", "wait", "decision", "inward", "exit", "jump"]

START: Final = "start"
DONE: Final = "done"
_KINDS: Final[dict[str, Kind]] = {
    "wait": "wait", "wait_until": "wait", "wait_for": "wait",
    "if": "decision", "choose": "decision", "split": "decision", "parallel": "decision",
    "jump_to": "jump",
}  # fmt: skip


class Node(Struct, frozen=True):
    """A node. `id` is short and unique (`start`, `s0` …, `done`), `step` the step's id, `text` what
    stands behind the verb."""

    id: str
    kind: Kind
    verb: str
    text: str = ""
    step: str = ""


class Edge(Struct, frozen=True):
    """A way from node to node; a `jump` is one of `jump_to`."""

    source: str
    target: str
    label: str = ""
    jump: bool = False


class Graph(Struct, frozen=True):
    """Nodes in the order written, edges by their source in that order."""

    campaign: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(definition: Definition) -> Graph:
    """The graph of a campaign, from `start` to `done`."""
    flow = flow_of(definition.steps)
    ids = node_ids(flow)
    nodes = [Node(START, "start", "enter", triggers_text(definition.enter))]
    nodes += [
        Node(ids[path], kind_of(step), step.verb, step_text(step), step.id)
        for path, step in flow.steps.items()
    ]
    nodes.append(Node(DONE, "end", "completed"))
    edges = [Edge(START, ids[flow.first])]
    for path, step in flow.steps.items():
        edges += _edges(flow, ids, step, path)
    return Graph(definition.id, tuple(nodes), tuple(edges))


def node_ids(flow: Flow) -> dict[str, str]:
    """The ids of the nodes by the paths of their steps; joins are what comes behind them."""
    ids = {path: f"s{index}" for index, path in enumerate(flow.steps)}
    ids[END] = DONE
    return ids


def _edges(flow: Flow, ids: dict[str, str], step: Step, path: str) -> list[Edge]:
    found = []
    for edge in flow.edges.get(path, ()):
        target = edge.target
        while target in flow.joins:
            target = flow.edges[target][0].target
        label = "" if edge.jump else branch_text(step, edge.label)
        found.append(Edge(ids[path], ids[target], label, edge.jump))
    return list(dict.fromkeys(found))


def kind_of(step: Step) -> Kind:
    """How the step's node looks."""
    if ends(step):
        return "exit"
    if step.verb in _KINDS:
        return _KINDS[step.verb]
    if step.verb in STEP and STEP[step.verb].outward:
        return "message" if step.verb.startswith("send_") else "outward"
    return "inward"
