"""Modules have one reason to exist, functions fit a screen, packages say what they are for."""

import ast

from tests.repository.tree import ROOT, name, product_modules, syntax

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def test_modules_are_short() -> None:
    too_long = {
        name(path): lines
        for path in product_modules()
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    }

    assert too_long == {}


def test_functions_fit_a_screen() -> None:
    too_long = {
        f"{name(path)}:{node.lineno} {node.name}": lines
        for path in product_modules()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert too_long == {}


def test_every_folder_with_modules_is_a_package() -> None:
    """A folder without `__init__.py` would import, but hide from lint-imports and mypy."""
    bare = {
        name(path.parent)
        for path in product_modules()
        if not (path.parent / "__init__.py").is_file()
    }

    assert bare == set()


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    """One path to every name: nothing is exported a second time."""
    wrong = [
        name(path)
        for path in product_modules()
        if path.name == "__init__.py"
        and not (ast.get_docstring(syntax(path)) and len(syntax(path).body) == 1)
    ]

    assert wrong == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [name(path) for path in product_modules() if not ast.get_docstring(syntax(path))]

    assert silent == []


def test_no_module_is_named_after_nothing() -> None:
    """Names that say nothing collect everything."""
    empty_words = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
    named = [
        name(path)
        for path in product_modules()
        if empty_words & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]

    assert named == []
