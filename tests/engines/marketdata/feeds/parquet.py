"""Small Parquet files of trades for the feeds' tests."""

from pathlib import Path

import duckdb

Trade = tuple[int, float, int]  # ts in nanoseconds, price, size


def write(path: Path, sql: str) -> str:
    """A file with what `sql` selects; its path as text."""
    with duckdb.connect() as db:
        db.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    return str(path)


def trades(path: Path, rows: list[Trade]) -> str:
    """Trades in the order given, prices in currency units."""
    values = ", ".join(f"({ts}::BIGINT, {price}::DOUBLE, {size}::BIGINT)" for ts, price, size in rows)
    return write(path, f"SELECT * FROM (VALUES {values}) AS t(ts, price, size)")
