"""The script that builds the bundle: what lies there is what was recorded, and a difference does not pass."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

from engines.wire import bundle

SCRIPTS = Path(__file__).parents[3] / "scripts"
sys.path.insert(0, str(SCRIPTS))  # the script is no part of the package

import build_bundle  # noqa: E402
from bundle import fetch, write  # noqa: E402
from bundle.model import BuildError  # noqa: E402
from bundle.sources_bars import SP500_2000, US_STOCKS  # noqa: E402


def test_what_lies_there_is_what_was_recorded() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "build_bundle.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "the bundle is what was recorded")


def test_a_changed_a_missing_and_a_strange_file_are_each_named(tmp_path: Path) -> None:
    folder = shutil.copytree(bundle.FOLDER, tmp_path / "bundle")
    assert list(build_bundle.differences(folder)) == []
    (folder / "vix_closes.parquet").write_bytes(b"PAR1")
    (folder / "wti_daily.parquet").unlink()
    (folder / "extra.parquet").write_bytes(b"")
    (folder / "licences" / "arch.md").unlink()
    assert set(build_bundle.differences(folder)) == {
        "vix_closes.parquet does not have the sha256 of metadata.json",
        "wti_daily.parquet is missing",
        "extra.parquet has no entry in metadata.json",
        "licences/arch.md is missing",
    }


def test_every_recorded_file_has_a_source_in_the_script() -> None:
    recorded = json.loads((bundle.FOLDER / "metadata.json").read_text("utf-8"))["files"]
    assert [(one["file"], one["sha256_source"]) for one in recorded] == [
        (s.file, s.sha256) for s in build_bundle.SOURCES
    ]


def test_a_file_continues_another_only_where_their_prices_agree(tmp_path: Path) -> None:
    before, after = bundle.FOLDER / "sp500_daily.parquet", bundle.FOLDER / SP500_2000.file
    assert write.extension(after, before, "SPX") == {"after": "2015-12-31", "rows": 1080}
    moved = tmp_path / "moved.parquet"
    with duckdb.connect() as db:
        low = "if(date = DATE '2008-10-15', low * 1.00001, low)"
        db.execute(f"COPY (SELECT * REPLACE ({low} AS low) FROM '{after}') TO '{moved}'")
    with pytest.raises(BuildError, match="does not agree"):
        write.extension(moved, before, "SPX")


def test_a_package_with_another_file_than_recorded_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bokeh_sampledata-2026.1-py3-none-any.whl", "w") as archive:
        archive.writestr(US_STOCKS.path, b"Ticker,Date\n")
    with pytest.raises(BuildError, match="sha256"):
        fetch.extract(US_STOCKS, tmp_path, tmp_path)
