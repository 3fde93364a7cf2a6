"""Draws a campaign's graph as SVG that stands alone: no script, no font, no image from elsewhere.

Dark and light follow the reader's setting; every node has its full text as `<title>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Final

from schemas.campaigns import Definition, Step
from streams.engine.drawing_layout import WIDTH, Box, Line, lay_out
from streams.engine.graph_nodes import Node, graph_of
from streams.engine.tree import every_step
from streams.engine.wording import branch_text, header_lines, step_text

MARGIN: Final = 32
LINE: Final = 17  # from one line of text to the next
PADDING: Final = 10
CHARACTERS: Final = 30  # of a node's text in one line
MAX_LINES: Final = 3
LABEL: Final = 26
CAPTION: Final = 90
LANE_GAP: Final = 16  # between the lanes of jumps

_STYLE: Final = """
svg{--ink:#1d2530;--soft:#5b6673;--line:#8793a1;--back:#fff;--wait:#fff4d6;--decision:#e6effc;
--message:#dff5e6;--inward:#f2f3f5;--exit:#fbe4e4;--badge:#24527a;--badge-ink:#fff;
font:13px system-ui,-apple-system,"Segoe UI",sans-serif;background:var(--back)}
@media (prefers-color-scheme:dark){svg{--ink:#e8ecf1;--soft:#a7b1bd;--line:#77828f;--back:#14181d;
--wait:#463a17;--decision:#1e334f;--message:#1c3f2b;--inward:#2a2f36;--exit:#4c2529;
--badge:#9cc8ee;--badge-ink:#10202e}}
text{fill:var(--ink)}.verb{font-weight:600}.soft{fill:var(--soft)}
.box{fill:var(--inward);stroke:var(--line)}.wait .box{fill:var(--wait)}
.decision .box{fill:var(--decision)}.message .box,.outward .box{fill:var(--message)}
.exit .box{fill:var(--exit)}.start .box,.end .box{fill:none}
.edge{fill:none;stroke:var(--line);stroke-width:1.5}.jump-edge{stroke-dasharray:5 4}
.tip{fill:var(--line)}.label{font-size:12px;paint-order:stroke;stroke:var(--back);stroke-width:5px;
stroke-linejoin:round}.badge{fill:var(--badge)}.badge-text{fill:var(--badge-ink);font-size:12px}
""".strip().replace("\n", "")
_TIP: Final = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto-start-reverse"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
)


def picture(definition: Definition, badges: Mapping[str, str]) -> str:
    """The SVG; `badges` are short texts by step id."""
    graph = graph_of(definition)
    steps = {step.path: step for step in every_step(definition.steps)}
    paths = {step.id: path for path, step in steps.items()}
    caption = [definition.name or definition.id, *header_lines(definition)]
    start, *nodes, end = graph.nodes
    top = MARGIN + LINE * len(caption) + PADDING
    first = _height(start.text)
    layout = lay_out(definition.steps, lambda step: _height(step_text(step)), top + first, "")
    jumps = [
        (layout.boxes[source], layout.boxes[paths[target]])
        for source, target in layout.jumps
        if paths.get(target) in layout.boxes
    ]
    lanes = _lanes(jumps, layout.width)
    width = max(layout.width, WIDTH, *(7.5 * len(_cut(line, CAPTION)) for line in caption))
    left = MARGIN - min([0, *lanes])
    right = MARGIN + max([0, *(lane - layout.width for lane in lanes)])
    shift = left + (width - layout.width) / 2
    middle = layout.width / 2
    body = [_line(line, steps.get(line.source)) for line in layout.lines]
    body += [_jump(*jump, lane) for jump, lane in zip(jumps, lanes, strict=True)]
    body.append(_node(start, Box(middle, top, first)))
    body += [
        _node(node, layout.boxes[path], badges.get(node.step, ""))
        for path, node in zip(steps, nodes, strict=True)
        if path in layout.boxes
    ]
    body.append(_node(end, Box(middle, layout.bottom, _height(""))))
    size = f"{width + left + right:.0f}", f"{layout.bottom + _height('') + MARGIN:.0f}"
    title = _text(f"Campaign {definition.name or definition.id}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'width="{size[0]}" height="{size[1]}" role="img" aria-label="{title}">'
        f"<title>{title}</title><style>{_STYLE}</style>{_TIP}"
        + "".join(_caption(line, index) for index, line in enumerate(caption))
        + f'<g transform="translate({_n(shift)} 0)">'
        + "".join(body)
        + "</g></svg>\n"
    )


def _caption(line: str, index: int) -> str:
    style = "verb" if index == 0 else "soft"
    y = MARGIN + LINE * index
    return f'<text class="{style}" x="{MARGIN}" y="{y}">{_text(_cut(line, CAPTION))}</text>'


def _height(text: str) -> float:
    return LINE * (1 + len(_lines(text))) + 2 * PADDING - 4


def _lines(text: str) -> list[str]:
    """The text in at most `MAX_LINES` lines, the last one cut."""
    lines = wrap(" ".join(text.split()), CHARACTERS, break_on_hyphens=False)
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], _cut(lines[MAX_LINES - 1] + "  …", CHARACTERS)]
    return lines


def _node(node: Node, box: Box, badge: str = "") -> str:
    left = box.x - WIDTH / 2
    round_ = box.height / 2 if node.kind in ("start", "end", "exit") else 6
    name = f" ({node.step})" if node.step else ""
    lines = [
        f'<text class="{"soft" if i else "verb"}" text-anchor="middle" x="{_n(box.x)}" '
        f'y="{_n(box.y + PADDING + 11 + LINE * i)}">{_text(line)}</text>'
        for i, line in enumerate([node.verb, *_lines(node.text)])
    ]
    step = f' data-step="{_text(node.step)}"' if node.step else ""
    return (
        f'<g class="{node.kind}"{step}><title>{_text(f"{node.verb} {node.text}".strip() + name)}'
        f'</title><rect class="box" x="{_n(left)}" y="{_n(box.y)}" width="{WIDTH}" '
        f'height="{_n(box.height)}" rx="{_n(round_)}"/>{"".join(lines)}'
        + (_badge(badge, left + WIDTH, box.y) if badge else "")
        + "</g>"
    )


def _badge(text: str, right: float, y: float) -> str:
    width = 8 * len(text) + 14
    return (
        f'<rect class="badge" x="{_n(right - width + 8)}" y="{_n(y - 10)}" width="{width}" '
        f'height="20" rx="10"/><text class="badge-text" text-anchor="middle" '
        f'x="{_n(right - width / 2 + 8)}" y="{_n(y + 4)}">{_text(text)}</text>'
    )


def _line(line: Line, step: Step | None) -> str:
    points = list(line.turns)
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if x == to_x:
            path.append(f"V{_n(to_y)}")
        else:
            half = (y + to_y) / 2
            path.append(f"C{_n(x)} {_n(half)} {_n(to_x)} {_n(half)} {_n(to_x)} {_n(to_y)}")
    drawn = f'<path class="edge" marker-end="url(#tip)" d="{" ".join(path)}"/>'
    label = branch_text(step, line.label) if step is not None and line.label else ""
    if not label:
        return drawn
    x, y = line.label_at
    return (
        f'{drawn}<text class="label" text-anchor="middle" x="{_n(x)}" y="{_n(y + 4)}">'
        f"<title>{_text(label)}</title>{_text(_cut(label, LABEL))}</text>"
    )


def _jump(source: Box, target: Box, lane: float) -> str:
    """A dashed line out to a lane beside all nodes, along it, and back in to the target."""
    side = WIDTH / 2 if lane > source.x else -WIDTH / 2
    x, y = source.x + side, source.y + source.height / 2
    to_x, to_y = target.x + side, target.y + target.height / 2
    turn = 8 if to_y > y else -8
    return (
        f'<path class="edge jump-edge" marker-end="url(#tip)" d="M{_n(x)} {_n(y)} '
        f"H{_n(lane - side / abs(side) * 8)} Q{_n(lane)} {_n(y)} {_n(lane)} {_n(y + turn)} "
        f"V{_n(to_y - turn)} Q{_n(lane)} {_n(to_y)} {_n(lane - side / abs(side) * 8)} {_n(to_y)} "
        f'H{_n(to_x)}"/>'
    )


def _lanes(jumps: list[tuple[Box, Box]], width: float) -> list[float]:
    """Each jump's lane: left of all nodes or right of them, whichever is nearer."""
    left: float = -LANE_GAP
    right = width + LANE_GAP
    lanes: list[float] = []
    for source, _ in jumps:
        if source.x < width / 2:
            lanes.append(left)
            left -= LANE_GAP
        else:
            lanes.append(right)
            right += LANE_GAP
    return lanes


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _text(text: str) -> str:
    """Escaped, without what XML cannot hold."""
    return escape("".join(c for c in text if c >= " " and c not in "\ufffe\uffff"))


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
