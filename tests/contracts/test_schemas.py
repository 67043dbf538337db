"""Message and history schemas are frozen: what the code says is what docs/schemas/ publishes."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("write_schemas", ROOT / "scripts" / "write_schemas.py")
assert _spec is not None and _spec.loader is not None
write_schemas = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(write_schemas)


def test_what_is_published_is_what_the_code_has() -> None:
    published = {path.name for path in (ROOT / "docs" / "schemas").iterdir()}
    assert published == set(write_schemas.schemas())
    assert {"messages.json", "history.json", "health.json", "run.json", "results.json", "verify.json"} <= published


@pytest.mark.parametrize("name", sorted(write_schemas.schemas()))
def test_published_schema_is_the_codes(name: str) -> None:
    published = (ROOT / "docs" / "schemas" / name).read_bytes()
    assert published == write_schemas.schemas()[name], "a meant change? python scripts/write_schemas.py, and say so"
