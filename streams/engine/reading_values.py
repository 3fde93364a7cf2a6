"""Reads mappings by the language's table: known, unknown, missing and unbuilt keys.

A reader never raises: what is wrong becomes a finding and the value `INVALID`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from schemas.campaigns import Duration
from schemas.language import NOT_YET
from schemas.language_shapes import Key, Shape
from streams.engine.expression_names import did_you_mean
from streams.engine.findings import Findings, child
from streams.engine.notation import repr_of, shown
from streams.engine.reading_scalars import INVALID, SCALARS

CHANNEL_NAMES: Final = ("email", "sms", "push")


class ValueReader:
    """Reads values of every kind but triggers and steps, which `StepReader` adds.

    `kinds` are the readers of shapes that are no scalars.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.kinds: dict[str, Callable[[Shape, Any, str], Any]] = {
            "mapping": self._mapping,
            "map": self._map,
            "target": self._target,
        }

    def read(self, shape: Shape, value: Any, path: str) -> Any:
        """The converted value, or `INVALID` after a finding."""
        if shape.kind in SCALARS:
            return SCALARS[shape.kind](self.wrong, shape, value, path)
        return self.kinds[shape.kind](shape, value, path)

    def wrong(self, path: str, message: str, code: str = "wrong-type") -> Any:
        """Tell a finding; the answer is `INVALID`."""
        self.findings.add(code, path, message)
        return INVALID

    def keys(
        self, keys: Collection[Key], data: dict[Any, Any], path: str, place: str
    ) -> dict[str, Any]:
        """The good values of a mapping by key; unknown, missing and unbuilt keys are told.

        `place` is how `NOT_YET` calls it (`campaign`, `step.wait`), "" where it names nothing.
        """
        known = {key.name: key for key in keys}
        found: dict[str, Any] = {}
        for name, value in data.items():
            key = known.get(name) if isinstance(name, str) else None
            if key is None:
                self.unknown(name, child(path, name), list(known))
                continue
            if place:
                self.not_yet(place, key, value, child(path, name))
                self._not_yet_within(place, key, value, child(path, name))
            converted = self.read(key.shape, value, child(path, name))
            if converted is not INVALID:
                found[key.name] = converted
        for key in keys:
            if key.required and key.name not in data:
                self.wrong(path, f"`{key.name}` is missing: {key.meaning}", "missing-key")
        return found

    def unknown(self, name: Any, path: str, known: Collection[str], hint: str = "") -> None:
        """Tell of an unknown key."""
        close = hint or (did_you_mean(name, list(known)) if isinstance(name, str) else "")
        if not close:
            close = f"; there are {', '.join(sorted(known))}" if len(known) <= 8 else ""
        self.findings.add("unknown-key", path, f"{shown(name)} is no key here{close}", key=True)

    def not_yet(self, place: str, key: Key | None, value: Any, path: str) -> None:
        """Tell of what is not built yet: the place itself, or one key or value in it."""
        names = [place]
        if key is not None:
            kind = place.split(".")[0]
            names = [f"{place}.{key.name}", f"{kind}.*.{key.name}"]
        word = repr_of(value)
        for name in names:
            if name in NOT_YET or f"{name}={word}" in NOT_YET:
                break
            others = [entry for entry in NOT_YET if entry.startswith(f"{name}!=")]
            if others and f"{name}!={word}" not in others:
                break
        else:
            return
        what = f"`{key.name}`" if key is not None else f"`{place.split('.')[-1]}`"
        self.findings.add("not-yet", path, f"{what} is part of the language, but not built yet",
                          key=True)  # fmt: skip

    def _not_yet_within(self, place: str, key: Key, value: Any, path: str) -> None:
        """Tell of keys one level deeper that are not built yet, as `campaign.limits.send_rate`."""
        if key.shape.kind == "mapping" and isinstance(value, dict):
            for inner in key.shape.keys:
                if inner.name in value:
                    self.not_yet(
                        f"{place}.{key.name}", inner, value[inner.name], child(path, inner.name)
                    )

    def _mapping(self, shape: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.wrong(path, f"{shown(value)} is not a {shape.label}")
        return self.keys(shape.keys, value, path, "")

    def _map(self, shape: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.wrong(path, f"{shown(value)} is not a mapping: {shape.label}")
        assert shape.item is not None, "a map without an item"
        found: dict[str, Any] = {}
        for name, item in value.items():
            where = child(path, name)
            if not isinstance(name, str) or not name:
                self.findings.add("wrong-type", where, f"{shown(name)} is not a name", key=True)
                continue
            if shape.of == "channel" and name not in CHANNEL_NAMES:
                self.unknown(name, where, CHANNEL_NAMES)
            converted = self.read(shape.item, item, where)
            if converted is not INVALID:
                found[name] = converted
        return found

    def _target(self, shape: Shape, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return SCALARS["instant"](self.wrong, shape, value, path)
        target = self.keys(shape.keys, value, path, "")
        if "field" not in target:
            return INVALID
        target.setdefault("offset", Duration())
        return target
