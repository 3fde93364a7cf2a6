"""Places the nodes of a campaign: steps below each other, branches side by side.

Units are pixels. A block is a column as wide as its widest step; the branches of a step stand
below it, side by side in the order written, and meet again above the next step. So no two nodes
overlap and, jumps apart, no line crosses a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from schemas.campaigns import Step
from streams.engine.flow import branches, ends

WIDTH: Final = 224
GAP_X: Final = 28
GAP_Y: Final = 34
LABEL_Y: Final = 30  # more room above a branch, for its label
LANE: Final = 64  # an empty branch


class Box(Struct, frozen=True):
    """A node's place: its centre's x, its upper edge's y, its height."""

    x: float
    y: float
    height: float

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height


class Line(Struct, frozen=True):
    """A way down: from the lower edge of a node straight down its column, then over to a node.

    `source` and `target` are paths ("" being the end), `turns` the (x, y) that it goes through;
    its label stands at `label_at`.
    """

    source: str
    target: str
    turns: tuple[tuple[float, float], ...]
    label: str = ""
    label_at: tuple[float, float] = (0, 0)


class Layout(Struct):
    """Where everything stands."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    jumps: list[tuple[str, str]] = field(default_factory=list)
    width: float = 0
    bottom: float = 0


class _Open(Struct, frozen=True):
    """A line that is not yet at its target."""

    source: str
    turns: tuple[tuple[float, float], ...]
    label: str = ""
    label_at: tuple[float, float] = (0, 0)


def lay_out(
    steps: tuple[Step, ...], height_of: Callable[[Step], float], top: float, source: str
) -> Layout:
    """Place all steps below `top`; the first line comes from `source`, whose box ends there."""
    placing = _Placing(height_of)
    width = placing.width_of(steps)
    x = width / 2
    start = [_Open(source, ((x, top),))]
    opened, bottom = placing.block(steps, x, top + GAP_Y, start)
    placing.close(opened, "", x, bottom)
    placing.layout.width = width
    placing.layout.bottom = bottom
    return placing.layout


class _Placing:
    def __init__(self, height_of: Callable[[Step], float]) -> None:
        self._height_of = height_of
        self._widths: dict[str, float] = {}
        self.layout = Layout()

    def width_of(self, steps: tuple[Step, ...]) -> float:
        """The width of a block's column."""
        return max((self._step_width(step) for step in steps), default=LANE)

    def _step_width(self, step: Step) -> float:
        if step.path not in self._widths:
            parts = [] if ends(step) else branches(step)
            inner = sum(self.width_of(block) for _, block in parts) + GAP_X * (len(parts) - 1)
            self._widths[step.path] = max(WIDTH, inner)
        return self._widths[step.path]

    def block(
        self, steps: tuple[Step, ...], x: float, top: float, opened: list[_Open]
    ) -> tuple[list[_Open], float]:
        """Place a block at (x, top), where these lines arrive; the answer is the lines that go
        on from its end, and where the next thing may begin."""
        for step in steps:
            box = Box(x, top, self._height_of(step))
            self.layout.boxes[step.path] = box
            self.close(opened, step.path, x, top)
            opened, top = self._behind(step, box)
        return opened, top

    def _behind(self, step: Step, box: Box) -> tuple[list[_Open], float]:
        if ends(step):
            return [], box.bottom + GAP_Y
        parts = branches(step)
        if not parts:
            if step.verb == "jump_to":
                self.layout.jumps.append((step.path, str(step.value)))
            label = "used up" if step.verb == "jump_to" else ""
            at = (box.x, box.bottom + GAP_Y / 2)
            return [_Open(step.path, ((box.x, box.bottom),), label, at)], box.bottom + GAP_Y
        below = box.bottom + GAP_Y + LABEL_Y
        left = box.x - (
            sum(self.width_of(block) for _, block in parts) + GAP_X * (len(parts) - 1)
        ) / 2  # fmt: skip
        found: list[_Open] = []
        lowest = below
        for label, block in parts:
            width = self.width_of(block)
            x = left + width / 2
            turn = (x, below - LABEL_Y + 4)
            start = _Open(
                step.path, ((box.x, box.bottom), turn), label, turn
            )  # fmt: skip
            ended, bottom = self.block(block, x, below, [start])
            found += ended
            lowest = max(lowest, bottom)
            left += width + GAP_X
        # Every open end goes down its own column to below the lowest branch.
        return [
            _Open(open_.source, (*open_.turns, (open_.turns[-1][0], lowest)), open_.label,
                  open_.label_at)
            for open_ in found
        ], lowest + GAP_Y  # fmt: skip

    def close(self, opened: list[_Open], target: str, x: float, y: float) -> None:
        """Let all open lines arrive at (x, y)."""
        for open_ in opened:
            self.layout.lines.append(
                Line(open_.source, target, (*open_.turns, (x, y)), open_.label, open_.label_at)
            )
