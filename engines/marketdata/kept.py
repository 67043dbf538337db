"""The day under way, kept on disk: a marketdata that starts again goes on with it and need not build it anew.

One file in the fleet's folder: sha256 of all that follows, then the day as `day.to_bytes` writes it.  It is only ever a
shortcut, so whatever is wrong with it means that the day is built again.
"""

import hashlib
import logging
import os
from pathlib import Path

import msgspec

from engines.marketdata.day import Day, from_bytes, to_bytes
from engines.marketdata.request import ReplayRequest

log = logging.getLogger(__name__)
NAME = "replay.day"
_SHA = 32


class KeptDay:
    """The kept day of one fleet, whose folder is `folder`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def write(self, day: Day) -> None:
        """Keep this day and no other; where the disk refuses, none."""
        data = to_bytes(day.evidence, day.streams)
        aside = self._path.with_suffix(".new")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            aside.replace(self._path)
        except OSError as error:
            log.warning("the day is not kept, so a restart would build it again: %s", error)
            aside.unlink(missing_ok=True)
            self.drop()

    def read(self, request: ReplayRequest, digest: str) -> Day | None:
        """The day whose tape has this digest; None when another is kept, or none, or what is kept is damaged."""
        try:
            found = self._path.read_bytes()
        except OSError:
            return None
        data = found[_SHA:]
        if hashlib.sha256(data).digest() != found[:_SHA]:
            log.warning("the kept day is damaged: it is built again")
            return None
        try:
            day = from_bytes(request, request.resolve(), data)
        except (ValueError, msgspec.DecodeError) as error:  # of another version
            log.warning("the kept day cannot be read: it is built again: %s", error)
            return None
        return day if day.evidence.digest == digest else None

    def drop(self) -> None:
        """Keep none."""
        self._path.unlink(missing_ok=True)
