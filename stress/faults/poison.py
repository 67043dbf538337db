"""Poison: messages that no consumer can decode, appended to a topic that the target consumes.

They stay in the stream's count and end in the dead letters of every consumer, so the ledger balances; nothing has to be
taken back.  Only topics of the main bus can be poisoned, since their ids are the server's: a replayed topic's entries
have ids of the tape's own, and a foreign entry between two of them would hide the next.

What is seen: each running consumer's committed ledger counts as many dead letters more, and none less.
"""

import random
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from engines.fleet import resp
from engines.wire.bus import Counts, Ledger
from engines.wire.errors import BusError
from engines.wire.manifest import Manifest, discover
from engines.wire.messages import TOPICS, Fleet, Header, encode_body, encode_header
from stress.faults import bus_server
from stress.faults.fault import Done, Fault, Undo, Value
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

COUNT = Parameter("count", 1, 10_000, 20, "messages")
SIZE = Parameter("bytes", 16, 1 << 20, 4096, "of the largest body")
SEED = Parameter("seed", 0, 2**32, 0, "of sizes and of garbage")
READ_BY_ACCOUNTS = frozenset({"halts", "risk-alerts", "orders", "fills"})  # every message is decoded by the harness too
_NEVER = b"\xc1"  # the one byte that MessagePack never uses
_PROOF_S = 15.0
_FLAVOURS = 7


class Poison:
    """The kind `poison`."""

    name = "poison"
    lasting = False

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """An engine that consumes a topic of the main bus; `topic` chooses one of several."""
        known = {manifest.name: poisonable(manifest) for manifest in discover()}
        yield from unlike(target, (name for name, topics in known.items() if topics))
        if "topic" in parameters and known.get(target) and parameters["topic"] not in known[target]:
            yield f"topic = {parameters['topic']!r}: {target} can be given poison in {', '.join(known[target])}"
        numbers = {name: value for name, value in parameters.items() if name != "topic"}
        yield from mistaken(numbers, (COUNT, SIZE, SEED))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:  # noqa: ARG002 - no undo
        """Append them.  Raises BusError: a bus cannot be asked."""
        manifests = {manifest.name: manifest for manifest in discover()}
        topic = str(fault.parameters.get("topic", "") or poisonable(manifests[fault.target])[0])
        running = {engine.name for engine in fleet.refresh().wanted}
        consumers = [m.name for m in manifests.values() if topic in m.consumes and m.name in running]
        count = int(COUNT.of(fault.parameters))
        made = messages(topic, f"poison/{fault.id}", count, int(SIZE.of(fault.parameters)),
                        random.Random(int(SEED.of(fault.parameters))))  # fmt: skip
        with bus_server.connect(bus_server.declared(fleet.home, fleet.name, "main")) as link:
            before = {name: dead(link, name, topic) for name in consumers}
            at = time.monotonic_ns()
            for header, body in made:
                link.ask("XADD", topic, "*", "h", header, "b", body)
            grown: dict[str, int] = {}

            def counted() -> bool:
                grown.update({name: dead(link, name, topic) - before[name] for name in consumers})
                return all(more == count for more in grown.values())

            proven = until(counted, _PROOF_S) and bool(consumers)
        seen = ", ".join(f"{name} {more}" for name, more in grown.items())
        return Done(at, proven, f"{count} appended to {topic}; more dead letters: {seen or 'nobody consumes it'}")

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Nothing has to be taken back."""
        journal.done(undo)
        return Done(time.monotonic_ns(), True, "dead letters stay dead")


KIND = Poison()


def poisonable(manifest: Manifest) -> tuple[str, ...]:
    """The topics of an engine that may be poisoned."""
    return tuple(topic for topic in manifest.consumes if TOPICS[topic] == "main" and topic not in READ_BY_ACCOUNTS)


def messages(topic: str, producer: str, count: int, size: int, chance: random.Random) -> list[tuple[bytes, bytes]]:
    """Headers and bodies, none of which can be decoded as one of `topic`; seven flavours in turn.

    Where the header itself is well, its messages are numbered without a gap: poison is not loss.
    """
    foreign = encode_body(Fleet(())) if topic != "fleet" else msgspec.msgpack.encode({"type": "Halt"})
    seq = 0
    made = []
    for number in range(count):
        flavour = number % _FLAVOURS
        garbage = _NEVER + chance.randbytes(chance.randrange(size))
        if flavour < 2:
            header = (garbage, encode_header(Header(producer, 1, 1, "", 0, "", 0, 0, 0))[:-1])[flavour]
            made.append((header, garbage))
            continue
        seq += 1
        header = encode_header(Header(producer, 1, seq, "", number, "", 0, 0, 0))
        bodies = (garbage, foreign, foreign[:-1], b"", msgspec.msgpack.encode({"type": 7, "rows": None}))
        made.append((header, bodies[flavour - 2]))
    return made


def dead(link: resp.Connection, consumer: str, topic: str) -> int:
    """The dead letters of a topic that a consumer has committed so far.  Raises BusError."""
    data = link.ask("HGET", f"commit:{consumer}", "ledger")
    if data is None:
        return 0
    if not isinstance(data, bytes):
        raise BusError(f"The ledger of {consumer} cannot be read.", repr(data)[:200])
    return msgspec.msgpack.decode(data, type=Ledger).topics.get(topic, Counts()).dead
