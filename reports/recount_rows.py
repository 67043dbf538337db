"""The second path's own reading of a history: JSON objects by kind, and sums of what a long run has millions of.

It knows nothing of the record schemas: fields are taken by name, and what is missing or of another kind raises.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

Fields = dict[str, Any]  # one record as JSON: its shape is its kind's
BULK = ("health", "load", "level")
_HEAD = 18
"""Bytes of a line before its JSON: two checksums of eight digits, each with a space behind it."""
_STRESSED = 0.5


class Probes:
    """The probes of one engine in file order."""

    def __init__(self) -> None:
        self.at, self.answer, self.uptime = array("q"), array("q"), array("d")
        self.idle_ms: list[float] = []


class Rows:
    """A history by kinds.  ``first`` and ``last`` are of all kinds; the bulk kinds are in the sums only."""

    def __init__(self) -> None:
        self.first: Fields = {}
        self.last: Fields = {}
        self.kinds: dict[str, list[Fields]] = {}
        self.bulk: Counter[tuple[str, str, str]] = Counter()
        """Bulk records by kind, phase and engine."""
        self.loads: dict[tuple[str, str], list[int]] = {}
        """Scheduled, sent, done, failed and unsent by phase and engine, over its seconds."""
        self.stressed: dict[str, tuple[list[int], set[int]]] = {}
        """By phase: what was done in each engine's stressed seconds, and which seconds those are."""
        self.unshaped: dict[str, dict[int, list[int]]] = {}
        """By phase and second, of load that follows no tape: sent less ended, and done."""
        self.probes: dict[str, Probes] = {}
        self.answers: list[tuple[str, bool, int | None, int | None]] = []
        """What probes found, each once: status, whether it failed, pid, restarts."""
        self._numbers: dict[tuple[str, bool, int | None, int | None], int] = {}
        self.asked_seconds: dict[str, dict[tuple[str, int], list[int]]] = {}
        """By phase that a threshold names: scheduled, done, failed and unsent by engine and second."""
        self.asked_probes: dict[str, list[tuple[str, int, bool, float]]] = {}
        """By phase that a threshold names: engine, stamp, whether it was healthy, and its time."""

    def of(self, kind: str) -> list[Fields]:
        """The records of a kind that is not bulk, in file order."""
        return self.kinds.get(kind, [])

    def count(self, where: Mapping[str, str]) -> int:
        """Records whose fields, as text, are these; bulk kinds know their phase and engine only."""
        kind = where.get("type", "")
        if kind in BULK:
            return self._bulk_sums[kind, where.get("phase"), where.get("engine")]
        rest = [(key, value) for key, value in where.items() if key != "type"]
        return sum(all(str(record.get(key)) == value for key, value in rest) for record in self.of(kind))

    @cached_property
    def _bulk_sums(self) -> Counter[tuple[str, str | None, str | None]]:
        """Bulk records by kind, phase and engine, None being any."""
        sums = Counter[tuple[str, str | None, str | None]]()
        for (kind, phase, engine), number in self.bulk.items():
            for key in ((kind, phase, engine), (kind, phase, None), (kind, None, engine), (kind, None, None)):
                sums[key] += number
        return sums

    def take(self, record: Fields) -> None:
        """Add one record. Raises KeyError or TypeError on one that is none."""
        kind = record["type"]
        self.first = self.first or record
        self.last = record
        if kind not in BULK:
            self.kinds.setdefault(kind, []).append(record)
            if kind == "run":  # before any load or probe
                for phase in {asked["phase"] for asked in record.get("thresholds", [])}:
                    self.asked_seconds[phase], self.asked_probes[phase] = {}, []
            return
        if kind == "level":
            self.bulk[kind, "", ""] += 1
            return
        self.bulk[kind, record["phase"], record["engine"]] += 1
        if kind == "load":
            self._load(record)
        else:
            self._probe(record)

    def _load(self, record: Fields) -> None:
        phase = record["phase"]
        sums = self.loads.setdefault((phase, record["engine"]), [0, 0, 0, 0, 0])
        sums[0] += record["scheduled"]
        sums[1] += record["sent"]
        sums[2] += record["done"]
        failed = record.get("failed")
        sums[3] += sum(failed.values()) if failed else 0
        sums[4] += record["unsent"]
        if phase in self.asked_seconds:
            counts = (record["scheduled"], record["done"], sum(failed.values()) if failed else 0, record["unsent"])
            own = self.asked_seconds[phase].setdefault((record["engine"], record["second"]), [0, 0, 0, 0])
            own[:] = [before + count for before, count in zip(own, counts, strict=True)]
        stress = record.get("y")
        if stress is None:
            ended = record["done"] + (sum(failed.values()) if failed else 0)
            second = self.unshaped.setdefault(phase, {}).setdefault(record["second"], [0, 0])
            second[0] += record["sent"] - ended
            second[1] += record["done"]
        if stress is not None and stress >= _STRESSED:
            done, seconds = self.stressed.setdefault(phase, ([], set()))
            done.append(record["done"])
            seconds.add(record["second"])

    def _probe(self, record: Fields) -> None:
        probes = self.probes.get(record["engine"])
        if probes is None:
            probes = self.probes[record["engine"]] = Probes()
        answer = (record["status"], record.get("error") is not None, record.get("pid"), record.get("restarts"))
        number = self._numbers.get(answer)
        if number is None:
            number = self._numbers[answer] = len(self.answers)
            self.answers.append(answer)
        uptime = record.get("uptime_s")
        probes.at.append(record["mono_ns"])
        probes.answer.append(number)
        probes.uptime.append(-1.0 if uptime is None else uptime)
        if record["phase"] == "idle":
            probes.idle_ms.append(record["response_ms"])
        if record["phase"] in self.asked_probes:
            well = answer[:2] == ("healthy", False)
            found = (record["engine"], record["mono_ns"], well, record["response_ms"])
            self.asked_probes[record["phase"]].append(found)


def read(path: Path) -> Rows:
    """The history; lines that hold no JSON object are left out, and a last line without its end."""
    with path.open("rb") as file:
        return rows(file)


def rows(lines: Iterable[bytes]) -> Rows:
    """The lines of a history, taken one after the other."""
    found = Rows()
    decode = msgspec.json.Decoder().decode
    for line in lines:
        if line[-1:] != b"\n":
            break
        try:
            record = decode(line[_HEAD:])
        except msgspec.DecodeError:
            continue
        if isinstance(record, dict):
            found.take(record)
    return found
