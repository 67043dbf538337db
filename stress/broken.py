"""A mission that raised what nobody foresaw: what is kept of that, so that the run can be sealed all the same."""

import contextlib
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from engines.fleet import buses, folders, resp
from engines.wire.errors import BusError
from engines.wire.version import VERSION
from stress.fleet import MissionFleet

LOG = "runner.log"
_LONGEST = 300  # characters of a message that stands in a report's first paragraph
_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD|IDENTITY|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 8  # characters: masking anything shorter would mask honest words


class Breakdown(NamedTuple):
    """What was raised, in one line, and where its traceback is; `log` None: that could not be written."""

    words: str
    log: Path | None

    @property
    def reason(self) -> str:
        """For the record's end."""
        return f"{self.words} (traceback: {self.log.name})" if self.log is not None else self.words


def keep(folder: Path, fleet: MissionFleet, error: Exception, env: Mapping[str, str] = os.environ) -> Breakdown:
    """Write the traceback into the run folder.  No variable's value is in it, and every secret that is known is masked.

    Known are the fleet's own secrets, passwords of bus URLs, and variables whose names say that they are one.
    """
    from engines.data.sources.secret import Redactor, Secret  # here: a mission that does not break needs none

    masked = Redactor(Secret(secret) for secret in _secrets(fleet, env))
    words = _words(error, masked.text)
    text = f"Nautilus {VERSION}\n{masked.text(''.join(traceback.format_exception(error)))}"
    path = folder / LOG
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", errors="replace") as file:
            file.write(text)
    except OSError:  # a full disk, say: the words are in the record, which is what has to last
        return Breakdown(words, None)
    return Breakdown(words, path)


def _words(error: Exception, masked: Callable[[str], str]) -> str:
    """Type and message in one line; of a group, those of its first."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    message = " ".join(masked(str(error)).split())
    cut = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
    return f"{type(error).__name__}: {cut}" if cut else type(error).__name__


def _secrets(fleet: MissionFleet, env: Mapping[str, str]) -> Iterator[str]:
    found = [value for name, value in env.items() if _SECRET_NAME.search(name)]
    where = folders.of(fleet.name, fleet.home)
    if where.secrets.is_file():
        keys = buses.load_secrets(where.secrets)
        found += [keys.main, keys.market, keys.token]
    for name in buses.NAMES:
        with contextlib.suppress(BusError):  # it cannot be read, so nothing can have logged in with it
            found.append(resp.parse(env.get(f"NAUTILUS_BUS_{name.upper()}_URL", "")).password)
    return (value.strip() for value in found if len(value.strip()) >= _SHORTEST)
