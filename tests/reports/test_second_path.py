"""The second path to figures and verdicts knows nothing of the first: by their imports."""

import ast
from pathlib import Path

import pytest

from reports import chain, recount, recount_rows

SECOND = sorted(Path(recount.__file__).parent.glob("recount*.py"))
LIBRARIES = {"msgspec", "numpy", "numpy.typing", "duckdb"}
STANDARD = {
    "array", "base64", "collections", "collections.abc", "datetime", "functools", "itertools", "json", "math",
    "pathlib", "statistics", "struct", "time", "typing", "zlib",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Modules by their full names, also those imported within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative"
            whole = node.module in {"reports", "collections"} if node.module else False
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if whole and node.module == "reports" else {str(node.module)}
    return found


@pytest.mark.parametrize("path", SECOND, ids=lambda path: path.stem)
def test_the_second_path_imports_nothing_of_the_first(path: Path) -> None:
    allowed = LIBRARIES | STANDARD | {f"reports.{other.stem}" for other in SECOND}
    assert imported(path) <= allowed


def test_the_second_path_is_there_and_nobody_of_the_first_imports_it() -> None:
    assert {path.stem for path in SECOND} >= {"recount", "recount_rows", "recount_figures", "recount_hdr"}
    package = Path(recount.__file__).parent
    others = [path for path in package.rglob("*.py") if path not in SECOND and path.stem != "verify"]
    assert len(others) > 20
    for path in others:
        assert not {name for name in imported(path) if name.startswith("reports.recount")}, path.name


def test_both_cut_lines_at_the_same_column() -> None:
    assert recount_rows._HEAD == chain.HEAD
