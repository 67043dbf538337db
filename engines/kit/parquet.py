"""One Parquet file of the store: written whole or not at all, counted by its footer."""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def rows(connection: "DuckDBPyConnection", file: Path) -> int:
    """Rows of a file, from its footer; -1 when there is none."""
    if not file.exists():
        return -1
    found = connection.execute("SELECT num_rows FROM parquet_file_metadata(?)", [str(file)]).fetchone()
    return int(found[0]) if found else -1


def copy(connection: "DuckDBPyConnection", table: str, key: tuple[str, str], target: Path) -> None:
    """One Parquet file, whole or not at all."""
    topic, trace = key
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")  # two may export one run at once
    where = "topic = ? AND trace = ?" if table == "messages" else "trace = ?"
    connection.execute(
        f"COPY (SELECT * FROM {table} WHERE {where} ORDER BY rowid) TO '{_literal(draft)}' "  # noqa: S608 # quoted
        "(FORMAT parquet, COMPRESSION zstd)",
        [topic, trace] if table == "messages" else [trace],
    )
    draft.replace(target)


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")
