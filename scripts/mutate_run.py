"""What `report verify` catches: one thing of a recorded run is changed at a time, sealed again, and verified.

python scripts/mutate_run.py RUN [--each N] [--seed S] [--kinds KIND ...]

The run is copied first.  Every figure, criterion and verdict of the results and every number of REPORT.md is changed;
of the other values, and of each field of the raw records, at most N, chosen with the seed.  Raw fields are changed
twice: with the documents left as they were, and with all of them rendered anew, as who forges a whole run would do.
With --kinds, only the raw records of these kinds.
"""

import argparse
import json
import random
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain as chain_of
from pathlib import Path
from typing import Any

import duckdb
from hdrh.histogram import HdrHistogram

from reports import chain, runs, seal, verify
from reports.errors import ReportError
from reports.records import HISTORY

Json = Any  # a parsed document: of any shape
Keys = tuple[str | int, ...]
WORDS = {
    "start": "end", "end": "start", "us": "ms", "complete": "failed", "halts": "alerts", "alerts": "halts",
    "inject": "heal", "heal": "inject", "healthy": "degraded", "pass": "fail", "READY": "FAILED",
}  # fmt: skip
"""Words of closed sets, each with another of its set, so that the change is not refused for its form alone."""
ALWAYS = re.compile(r"^(figures\[\]\.value|(run\.)?verdict|(run\.)?criteria\[\]\.(measured|target|verdict))$")
ANEW = tuple(name for name in runs.FORMATS if name not in {"html", "junit", "openmetrics"})
"""What a forger renders again: all that is there but the page."""


@dataclass(frozen=True)
class Change:
    """One file's new content; ``group`` is the row of the table that it counts for."""

    group: str
    file: str
    content: bytes


@dataclass(frozen=True)
class Outcome:
    """Whether a change was caught; ``told``: the report itself calls the records contradictory."""

    group: str
    caught: bool
    told: bool = False


def changed(value: Json) -> Json:
    """Another value of the same kind: a number 1 % and 1 larger, a word of another meaning."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 + value // 100
    if isinstance(value, float):
        return value * 1.01 + 1.0
    return 1.0 if value is None else WORDS.get(value, f"{value}x")


def leaves(node: Json, keys: Keys = ()) -> Iterator[tuple[Keys, str, Json]]:
    """Where each number, word, truth and null lies, its pattern, and it."""
    if isinstance(node, dict | list):
        items: Iterable[tuple[str | int, Json]] = node.items() if isinstance(node, dict) else enumerate(node)
        for key, item in items:
            yield from leaves(item, (*keys, key))
    else:
        words = "".join("[]" if isinstance(key, int) else f".{key}" for key in keys)
        yield keys, words.removeprefix("."), node


def replaced(document: Json, keys: Keys) -> Json:
    """A copy with that one leaf changed."""
    if not keys:
        return changed(document)
    copy: Json = document.copy()
    copy[keys[0]] = replaced(copy[keys[0]], keys[1:])
    return copy


def chosen(pool: dict[str, list[Any]], each: int, seed: int) -> Iterator[tuple[str, Any]]:
    """At most ``each`` of each group, with the seed."""
    for group, members in pool.items():
        dice = random.Random(f"{seed} {group}")
        for member in members if len(members) <= each else dice.sample(members, each):
            yield group, member


def in_results(folder: Path, each: int, seed: int) -> Iterator[Change]:
    """Every figure, criterion and verdict; of the other values some."""
    for path in sorted(folder.glob(seal.RESULTS_GLOB)):
        name = "results.json" if path.name == "results.json" else "*_results_*.json"
        document = json.loads(path.read_bytes())
        pool: dict[str, list[Keys]] = defaultdict(list)
        for keys, pattern, _ in leaves(document):
            pool[pattern].append(keys)
        always = {pattern: members for pattern, members in pool.items() if ALWAYS.match(pattern)}
        others = {pattern: members for pattern, members in pool.items() if pattern not in always}
        for pattern, keys in (*chosen(always, 10**9, seed), *chosen(others, each, seed)):
            content = json.dumps(replaced(document, keys), indent=2).encode()
            yield Change(f"{name}: {pattern if pattern in always else 'other values'}", path.name, content)


def in_texts(folder: Path, each: int, seed: int) -> Iterator[Change]:
    """Every number of REPORT.md and the runbooks; of the page some."""
    for path in (folder / runs.REPORT_MD, *sorted(folder.glob("*/*.md"))):
        yield from in_text(folder, path.relative_to(folder).as_posix(), 10**9, seed)
    yield from in_text(folder, runs.REPORT_HTML, 20 * each, seed)


def in_text(folder: Path, name: str, each: int, seed: int) -> Iterator[Change]:
    """The last digit of each number; of a page those between its tags only."""
    path = folder / name
    if not path.is_file():
        return
    text = path.read_bytes()
    pattern = rb">[^<>]*?(\d)(?=[^\d<>.,][^<>]*<|<)" if name.endswith("html") else rb"(\d)(?![\d.,]*\d)"
    places = [match.start(1) for match in re.finditer(pattern, text)]
    for _, at in chosen({name: places}, each, seed):
        digit = str((int(text[at : at + 1]) + 1) % 10).encode()
        yield Change(f"{name}: numbers", name, text[:at] + digit + text[at + 1 :])


def in_history(folder: Path, each: int, seed: int) -> Iterator[Change]:
    """Fields of records, the chain made good behind them."""
    payloads = [line[chain.HEAD :] for line in (folder / HISTORY).read_bytes().splitlines()]
    pool: dict[str, list[tuple[int, Keys]]] = defaultdict(list)
    for number, payload in enumerate(payloads):
        record = json.loads(payload)
        for keys, pattern, value in leaves(record):
            if value is not None and keys != ("type",):
                pool[f"{record['type']}.{_open(pattern, record)}"].append((number, keys))
    for group, (number, keys) in chosen(pool, each, seed):
        forged = json.dumps(replaced(json.loads(payloads[number]), keys)).encode()
        yield Change(group, HISTORY, chained([*payloads[:number], forged, *payloads[number + 1 :]]))


def _open(pattern: str, record: Json) -> str:
    """Without the keys that are data: of plan, packages, processes, kinds of failure."""
    head = re.split(r"[.[]", pattern, maxsplit=1)[0]
    return f"{head}.*" if isinstance(record.get(head), dict) and head not in {"expect", "window"} else pattern


def chained(payloads: Iterable[bytes]) -> bytes:
    """Lines with a good chain."""
    previous, lines = chain.GENESIS, []
    for payload in payloads:
        previous, line = chain.link(previous, payload)
        lines.append(line)
    return b"".join(lines)


def in_samples(folder: Path, each: int, seed: int) -> Iterator[Change]:
    """Cells of samples.parquet."""
    path = folder / seal.SAMPLES
    with duckdb.connect() as db, tempfile.TemporaryDirectory() as scratch:
        db.read_parquet(str(path)).create("t")
        names = [row[0] for row in db.execute("DESCRIBE t").fetchall()]
        rows = db.execute("SELECT rowid, * FROM t").fetchall()
        pool: dict[str, list[tuple[int, Json]]] = defaultdict(list)
        for number, *cells in rows:
            for name, cell in zip(names, cells, strict=True):
                if cell is not None:
                    pool[f"samples.parquet: {name}"].append((number, cell))
        for group, (number, cell) in chosen(pool, each, seed):
            db.execute("BEGIN")
            column = group.rpartition(" ")[2]
            db.execute(f'UPDATE t SET "{column}" = ? WHERE rowid = ?', [changed(cell), number])  # noqa: S608 - own names
            db.table("t").write_parquet(f"{scratch}/forged")
            db.execute("ROLLBACK")
            yield Change(group, seal.SAMPLES, Path(scratch, "forged").read_bytes())


def in_logs(folder: Path, each: int, seed: int) -> Iterator[Change]:
    """One more value counted in an interval of a latency log."""
    used = (folder / HISTORY).read_text()
    pool: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in sorted((folder / seal.LATENCY).glob("*.hlog")):
        lines = path.read_text().splitlines()
        group = "latency/*.hlog" if f'"latency/{path.name}"' in used else "latency/*.hlog that no record names"
        pool[group] += [(path, number) for number, line in enumerate(lines) if line[:1] not in {"#", '"'}]
    for group, (path, number) in chosen(pool, 10 * each, seed):
        lines = path.read_text().splitlines()
        head, _, coded = lines[number].rpartition(",")
        histogram = HdrHistogram.decode(coded)
        histogram.record_value(histogram.get_value_at_percentile(50.0) or 1)
        lines[number] = f"{head},{histogram.encode().decode()}"
        yield Change(group, f"latency/{path.name}", ("\n".join(lines) + "\n").encode())


class Bench:
    """A copy of a run to be changed at will, with its page or without: that takes a while to be verified."""

    def __init__(self, run: Path, scratch: Path, page: bool = False) -> None:
        self.folder = shutil.copytree(run, scratch / run.name)
        if not page:
            (self.folder / runs.REPORT_HTML).unlink(missing_ok=True)
        (self.folder / seal.MANIFEST).unlink(missing_ok=True)
        seal.seal(self.folder)
        found = verify.verify(self.folder)
        if not found.ok:
            raise ReportError(f"{run.name} does not verify as it is.", f"{found.mismatches[:3]}")
        self._kept = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def document(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """Changes of documents: what the records say is worked out once for all of them."""
        basis = verify.Basis(self.folder)
        for change in changes:
            self._apply(change)
            yield Outcome(change.group, not verify.against(basis).ok)
            self._restore(change.file)

    def raw(self, changes: Iterable[Change], anew: bool) -> Iterator[Outcome]:
        """Changes of raw records; ``anew``: with the documents rendered again."""
        before = contradictions(self.folder)
        for change in changes:
            self._apply(change, anew)
            caught = not verify.verify(self.folder).ok
            yield Outcome(change.group, caught, contradictions(self.folder) > before)
            self._restore(*(path.relative_to(self.folder).as_posix() for path in self._kept))

    def _apply(self, change: Change, anew: bool = False) -> None:
        path = self.folder / change.file
        if path.read_bytes() == change.content:
            raise ValueError(f"{change.group}: nothing was changed")
        path.write_bytes(change.content)
        if anew:
            try:
                runs.render(self.folder, ANEW, with_plots=False)
            except ReportError as refused:  # no run any more: its documents stay, and verification has to tell
                print(f"{change.group}: {refused}")
        seal.seal(self.folder)

    def _restore(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_bytes(self._kept[self.folder / name])
        seal.seal(self.folder)


def contradictions(folder: Path) -> int:
    """How many contradictions between records the results of the folder tell of."""
    document = json.loads(next(folder.glob("comprehensive*results_*.json")).read_bytes())
    return len(document["disagreements"])


def table(outcomes: Iterable[Outcome]) -> dict[str, list[int]]:
    """Changed, caught and told by group."""
    found: dict[str, list[int]] = {}
    for outcome in outcomes:
        row = found.setdefault(outcome.group, [0, 0, 0])
        row[0] += 1
        row[1] += outcome.caught
        row[2] += outcome.told
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--each", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=())
    asked = parser.parse_args()
    each, seed, kinds = asked.each, asked.seed, frozenset(asked.kinds)
    if not kinds:
        documents(asked.run, each, seed)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(asked.run, Path(scratch))
        print_raw(*(table(bench.raw(_raw(bench.folder, each, seed, kinds), anew)) for anew in (False, True)))


def documents(run: Path, each: int, seed: int) -> None:
    """Change the documents of a run; print what was caught."""
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(run, Path(scratch), page=True)
        changes = chain_of(in_results(bench.folder, each, seed), in_texts(bench.folder, each, seed))
        print_documents(table(bench.document(changes)))


def _raw(folder: Path, each: int, seed: int, kinds: frozenset[str]) -> Iterator[Change]:
    yield from (change for change in in_history(folder, each, seed) if not kinds or _kind(change) in kinds)
    if not kinds:
        yield from in_samples(folder, each, seed)
        yield from in_logs(folder, each, seed)


def _kind(change: Change) -> str:
    return change.group.partition(".")[0]


def print_documents(found: dict[str, list[int]]) -> None:
    """What is reported."""
    print("| Document: what | Changed | Caught |\n|---|---:|---:|")
    for group, (count, caught, _) in found.items():
        print(f"| {group} | {count} | {caught} |")
    print(f"| **all** | {sum(row[0] for row in found.values())} | {sum(row[1] for row in found.values())} |\n")


def print_raw(left: dict[str, list[int]], anew: dict[str, list[int]]) -> None:
    """What is recorded."""
    print("| Raw field | Changed | Caught, documents left | Caught, all rendered anew | Contradiction told |")
    print("|---|---:|---:|---:|---:|")
    for group, (count, caught, _) in sorted(left.items()):
        print(f"| {group} | {count} | {caught} | {anew[group][1]} | {anew[group][2]} |")
    sums = [sum(row[place] for row in rows.values()) for rows, place in ((left, 0), (left, 1), (anew, 1), (anew, 2))]
    print(f"| **all** | {' | '.join(map(str, sums))} |")


if __name__ == "__main__":
    main()
