"""The second path's own reading of a history: JSON objects by kind, and columns of what a long run has millions of.

It knows nothing of the record schemas: fields are taken by name, and what is missing or of another kind raises.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reports.recount_columns import HealthLine, LoadLine, Probes, Seconds

Fields = dict[str, Any]  # one record as JSON: its shape is its kind's
_HEAD = 18
"""Bytes of a line before its JSON: two checksums of eight digits, each with a space behind it."""
_LOAD, _HEALTH = b'{"type":"load",', b'{"type":"health",'
"""How nearly all lines of these kinds begin: their fields need not be looked up in a dict."""
_SOME = 4096


class Rows:
    """A history by kinds.  ``first`` and ``last`` are of all kinds; load and probes are columns, levels a number."""

    def __init__(self) -> None:
        self.first: Fields = {}
        self.last: Fields = {}
        self.kinds: dict[str, list[Fields]] = {}
        self.seconds, self.probes = Seconds(), Probes()
        self.levels = 0
        self._loads: list[LoadLine] = []
        self._healths: list[HealthLine] = []

    def of(self, kind: str) -> list[Fields]:
        """The records of a kind that is not kept otherwise, in file order."""
        return self.kinds.get(kind, [])

    def count(self, where: Mapping[str, str]) -> int:
        """Records whose fields, as text, are these; load and probes know their phase and engine only."""
        kind = where.get("type", "")
        if kind == "level":
            return self.levels
        if kind in ("load", "health"):
            columns = self.seconds if kind == "load" else self.probes
            return columns.count(where.get("phase"), where.get("engine"))
        rest = [(key, value) for key, value in where.items() if key != "type"]
        return sum(all(str(record.get(key)) == value for key, value in rest) for record in self.of(kind))

    def take(self, lines: Iterable[bytes]) -> None:
        """Add the records of lines, up to one without its end; those that hold no JSON object are left out.

        Raises KeyError, TypeError or msgspec.ValidationError on a record that is none.
        """
        last: bytes | None = None
        load = msgspec.json.Decoder(LoadLine).decode
        health = msgspec.json.Decoder(HealthLine).decode
        for line in lines:
            if line[-1:] != b"\n":
                break
            try:
                if line.startswith(_LOAD, _HEAD) and self.first:
                    self._loads.append(load(line[_HEAD:]))
                elif line.startswith(_HEALTH, _HEAD) and self.first:
                    self._healths.append(health(line[_HEAD:]))
                elif not self._other(line):
                    continue
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:  # no JSON
                continue
            last = line
            if len(self._loads) + len(self._healths) >= _SOME:
                self._flush()
        self._flush()
        if last is not None:
            self.last = msgspec.json.decode(last[_HEAD:])

    def forget(self) -> None:
        """Let go of the columns; what is counted of them is known."""
        self.seconds.forget()
        self.probes.forget()

    def _other(self, line: bytes) -> bool:
        """Add the record of any line; false for one that holds no object."""
        record = msgspec.json.decode(line[_HEAD:])
        if not isinstance(record, dict):
            return False
        kind = record["type"]
        self.first = self.first or record
        if kind == "load":
            self._loads.append(msgspec.convert(record, LoadLine))
        elif kind == "health":
            self._healths.append(msgspec.convert(record, HealthLine))
        elif kind == "level":
            self.levels += 1
        else:
            self.kinds.setdefault(kind, []).append(record)
        return True

    def _flush(self) -> None:
        self.seconds.take(self._loads)
        self.probes.take(self._healths)
        self._loads, self._healths = [], []


def read(path: Path) -> Rows:
    """The history; lines that hold no JSON object are left out, and a last line without its end."""
    found = Rows()
    with path.open("rb") as file:
        found.take(file)
    return found
