"""Writing one source as Parquet (fixed row order, one thread, so that a rebuild gives the same bytes) and its entry."""

from pathlib import Path

import duckdb

from bundle.fetch import sha256
from bundle.model import BuildError, Series, Source

Facts = dict[str, object]
AGREEMENT = 1e-6  # relative, of two files that hold the same prices

_TABLE = "CREATE TABLE rows AS SELECT {values} FROM read_csv('{csv}'{options}) ORDER BY {order}"
_FACTS = """
    SELECT count(*), count({value}), min(date) FILTER ({value} IS NOT NULL)::VARCHAR,
        max(date) FILTER ({value} IS NOT NULL)::VARCHAR, count(DISTINCT date)
    FROM rows WHERE {where}
"""
_APART = "SELECT {apart} FROM '{before}' a JOIN '{out}' b USING (symbol, date)"
_REST = """
    WITH ends AS (SELECT max(date) AS last FROM '{before}' WHERE symbol = '{symbol}')
    SELECT any_value(last)::VARCHAR, count(*) FROM '{out}', ends WHERE symbol = '{symbol}' AND date > last
"""


def write_parquet(source: Source, csv: Path, out: Path) -> list[Facts]:
    """Write the tidy Parquet file; return one row of facts per series."""
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        db.execute("SET preserve_insertion_order = true")
        values = ", ".join(f'{expression} AS "{name}"' for name, expression in source.values.items())
        order = "symbol, date" if source.kind == "bars" else "date"
        db.execute(_TABLE.format(values=values, csv=csv, options=source.options, order=order))
        db.execute(f"COPY rows TO '{out}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)")
        return [_facts(db, source, one) for one in source.series]


def _facts(db: duckdb.DuckDBPyConnection, source: Source, one: Series) -> Facts:
    value = "close" if source.kind == "bars" else f'"{one.name}"'
    where = f"symbol = '{one.name}'" if source.kind == "bars" else "true"
    row = db.execute(_FACTS.format(value=value, where=where)).fetchone()
    if row is None or row[0] == 0 or row[0] != row[4]:
        raise BuildError(f"{source.file}: {one.name} has no rows, or two on one day")
    facts: Facts = {
        "name": one.name,
        "title": one.title,
        "units": one.units,
        "frequency": one.frequency,
        "adjustment": str(one.adjustment),
        "rows": row[0],
        "missing": row[0] - row[1],
        "first": row[2],
        "last": row[3],
    }
    if one.splits:
        facts["splits"] = [{"date": date, "ratio": ratio} for date, ratio in one.splits]
    return facts


def extension(out: Path, before: Path, symbol: str) -> Facts:
    """How the bars in ``out`` go on where those in ``before`` end; the prices of their common days must agree.

    Raises:
        BuildError: a price differs by more than 1e-6 of itself, or there is no common day.
    """
    columns = ("open", "high", "low", "close", "adj_close")
    apart = "greatest(" + ", ".join(f"max(abs(a.{name} / b.{name} - 1))" for name in columns) + ")"
    with duckdb.connect() as db:
        row = db.execute(_APART.format(apart=apart, before=before, out=out)).fetchone()
        rest = db.execute(_REST.format(before=before, out=out, symbol=symbol)).fetchone()
    if row is None or row[0] is None or row[0] > AGREEMENT or rest is None:
        raise BuildError(f"{out.name} does not agree with {before.name}: {row}")
    return {"after": rest[0], "rows": rest[1]}


def entry(source: Source, out: Path, series: list[Facts]) -> Facts:
    """The metadata of one written file."""
    return {
        "file": source.file,
        "title": source.title,
        "kind": source.kind,
        "origin": {
            "registry": source.registry,
            "package": source.package,
            "version": source.version,
            "path": source.path,
        },
        "licence": source.licence,
        "licence_text": source.notice_file,
        "rights": source.rights,
        "adjustment": source.adjustment,
        "columns": source.described_columns,
        "series": series,
        "rows": sum(int(str(one["rows"])) for one in series) if source.kind == "bars" else series[0]["rows"],
        "first": min(str(one["first"]) for one in series),
        "last": max(str(one["last"]) for one in series),
        "bytes": out.stat().st_size,
        "sha256_source": source.sha256,
        "sha256": sha256(out),
    }
