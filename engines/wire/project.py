"""Where the user's own files are: the project's `nautilus.toml` and the user's configuration.

Found by looking at names only: commands that no such file concerns pay nothing for them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from engines.wire.errors import SettingsError

FILE = "nautilus.toml"
ENGINES = "engines"  # the folder beside it with engines of the user's own, each a package named as its engine
VARIABLE = "NAUTILUS_PROJECT"


def find(env: Mapping[str, str] = os.environ, start: Path | None = None) -> Path | None:
    """The project's folder: `$NAUTILUS_PROJECT` (empty for none), else the nearest one upward that has the file.

    A file names commands that are run, so one that was found by searching must be the user's own (or root's) and
    writable by nobody else.

    Raises:
        SettingsError: it is somebody else's.
    """
    if VARIABLE in env:
        named = Path(env[VARIABLE]).expanduser().absolute() if env[VARIABLE] else None
        return named if named is not None and (named / FILE).is_file() else None
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        path = folder / FILE
        if path.is_file():
            facts = path.stat()
            if facts.st_uid not in (os.getuid(), 0) or facts.st_mode & 0o002:
                raise SettingsError(
                    f"{path} is not used: others could have written it.",
                    f"Its owner is {facts.st_uid}, its mode {facts.st_mode & 0o777:o}.",
                    f"Make it yours, or say that you mean it: export {VARIABLE}={folder}",
                )
            return folder
    return None


def user_file(env: Mapping[str, str] = os.environ) -> Path | None:
    """The user's configuration, `nautilus/config.toml` in the XDG configuration folder; None when there is none."""
    base = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".config")
    path = Path(base) / "nautilus" / "config.toml"
    return path if path.is_file() else None
