"""What a foreign engine is started with: its command's words, its environment, its program."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from engines.fleet import process
from engines.wire.errors import ManifestErrors
from engines.wire.manifest import Manifest
from engines.wire.settings import Settings

USUAL = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR",
    "VIRTUAL_ENV",
)  # fmt: skip


def command(manifest: Manifest, settings: Settings, port: int) -> list[str]:
    """The command's words with `{port}`, `{host}` and `{state}` filled in; other braces stay as they are."""
    fill = {"{port}": str(port), "{host}": settings.host, "{state}": str(settings.state)}
    words = []
    for word in manifest.command:
        for name, value in fill.items():
            word = word.replace(name, value)  # noqa: PLW2901 - one word, filled in step by step
        words.append(word)
    return words


def environment(manifest: Manifest, settings: Settings, port: int, around: Mapping[str, str]) -> dict[str, str]:
    """All that it is told: the usual few, what its manifest sets or names, where it is to listen, whose it is.

    The bus URLs and the token are secrets: they are told only to an engine that names them in `pass_env`.
    """
    told = {**around, **settings.to_env()}
    return {
        **{name: told[name] for name in (*USUAL, *manifest.pass_env) if name in told},
        **manifest.env,
        "PORT": str(port),
        "HOST": settings.host,
        "NAUTILUS_FLEET": settings.fleet,
        "NAUTILUS_ENGINE": manifest.name,
        "NAUTILUS_PORT": str(port),
        "NAUTILUS_HOST": settings.host,
        process.MEMBER: str(settings.state),
        process.OWNER: str(settings.supervisor_pid),
    }


def found(manifest: Manifest, env: Mapping[str, str]) -> str:
    """The program's path; one with a slash is relative to the engine's folder.

    Raises:
        ManifestErrors: there is none that can be run.
    """
    name = manifest.command[0]
    path = Path(manifest.cwd) / name if "/" in name else None
    where = shutil.which(path or name, path=env.get("PATH"))
    if where is None:
        raise ManifestErrors([f"engines.{manifest.name}: command: {name!r} is no program that can be run"])
    return where


def check(manifests: Sequence[Manifest], wanted: Sequence[str], env: Mapping[str, str]) -> None:
    """Every foreign engine that is wanted has its program and its folder.

    Raises:
        ManifestErrors: with all that do not.
    """
    mistakes: list[str] = []
    for manifest in manifests:
        if not manifest.foreign or manifest.name not in wanted:
            continue
        if not Path(manifest.cwd).is_dir():
            mistakes.append(f"engines.{manifest.name}: cwd: {manifest.cwd} is not a folder")
            continue
        try:
            found(manifest, {**env, **manifest.env})
        except ManifestErrors as error:
            mistakes += error.mistakes
    if mistakes:
        raise ManifestErrors(mistakes)
