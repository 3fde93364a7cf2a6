"""Writes what is generated from the schemas: `python -m schemas.generate [ROOT]`.

JSON Schemas into `schemas/json/`, the reference of the campaign language into `docs/reference/`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from schemas import language_reference
from schemas.json_schemas import documents


def files() -> dict[str, str]:
    """Every generated file, by its path from the root of a checkout."""
    found = {
        f"schemas/json/{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in documents().items()
    }
    found[language_reference.PAGE] = language_reference.page()
    return found


def write(root: Path) -> list[Path]:
    """Write them all below `root`; the answer is those that changed."""
    changed = []
    for name, text in files().items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    for written in write(Path(*sys.argv[1:2] or ["."])):
        print(written)
