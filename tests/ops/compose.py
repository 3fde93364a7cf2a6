"""docker-compose.yml as data: merge keys resolved, `${…}` filled in as Compose does it."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.repository.tree import ROOT

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def ours() -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: one for name, one in SERVICES.items() if one["image"].startswith("dripline:")}


def filled_in(value: str, environ: Mapping[str, str]) -> str:
    """`${NAME:-default}` and `${NAME:?error}`; KeyError where a needed one is missing."""

    def found(match: re.Match[str]) -> str:
        name, kind, text = match["name"], match["kind"], match["text"]
        if environ.get(name):
            return environ[name]
        if kind == "-":
            return str(text)
        raise KeyError(f"{name}: {text}")

    return VARIABLE.sub(found, value)


def start_order() -> list[str]:
    """Services, each behind those that it depends on."""
    order: list[str] = []

    def add(name: str, above: tuple[str, ...] = ()) -> None:
        assert name not in above, f"services wait for each other: {above}"
        for needed in SERVICES[name].get("depends_on", {}):
            add(needed, (*above, name))
        if name not in order:
            order.append(name)

    for name in SERVICES:
        add(name)
    return order
