"""Records of the run itself: what was asked for, on which machine, and how it ended."""

from typing import Any, Literal

from reports.records.base import SCHEMA_VERSION, Count, Part, Record
from reports.records.thresholds import Threshold


class CriterionTarget(Part, frozen=True, kw_only=True):
    """A criterion the mission is judged by; target None takes the criterion's own."""

    id: str
    target: float | None = None


class HaltKey(Part, frozen=True, kw_only=True):
    """What identifies a halt for the comparison of declared and observed ones; ``day``: YYYY-MM-DD of the market.

    Days are compared when every declared halt has one.
    """

    kind: str
    level: int | None = None
    symbol: str | None = None
    day: str | None = None


class LedgerKey(Part, frozen=True, kw_only=True):
    """One consumer of one topic on one bus."""

    bus: str
    topic: str
    consumer: str


class Expect(Part, frozen=True, kw_only=True):
    """Outcomes the mission declares in advance: halts to see, kinds of alert, codes of denials, ledger rows."""

    halts: list[HaltKey] = []
    alerts: list[str] = []
    denials: list[str] = []
    ledger: list[LedgerKey] = []


class Run(Record, frozen=True, kw_only=True):
    """First record: what was asked for. ``engines`` are the names the mission launches."""

    schema: int = SCHEMA_VERSION
    run_id: str
    mission: str
    title: str
    seed: int
    quick: bool
    full: bool = False
    version: str
    argv: list[str]
    engines: list[str]
    criteria: list[CriterionTarget]
    thresholds: list[Threshold] = []
    plan: dict[str, Any] = {}  # the mission file as written: its shape is the mission's
    replaced: dict[str, str] = {}  # engines that are not those that ship, each with the folder it came from
    foreign: dict[str, str] = {}  # engines that are other programs: its file's name and a digest of words and folder
    publishers: dict[str, list[str]] = {}  # topic -> engines that declare to publish it
    expect: Expect = Expect()


class Host(Record, frozen=True, kw_only=True):
    """The machine and the versions of what ran on it."""

    cpu_model: str
    cores: Count
    memory_bytes: Count
    platform: str
    python: str
    packages: dict[str, str]
    bus_version: str
    duckdb_version: str


class Phase(Record, frozen=True, kw_only=True):
    """A phase begins or ends. The phase named ``idle`` gives the normal response."""

    name: str
    event: Literal["start", "end"]
    measured: bool


class Unavailable(Record, frozen=True, kw_only=True):
    """The host lacks what a criterion needs."""

    criterion: str
    why: str


class End(Record, frozen=True, kw_only=True):
    """Last record.  aborted: a condition of the mission's own held, as ``Abort`` says.  broken: its own code raised
    what nobody foresaw, which is no word on the fleet.
    """

    status: Literal["complete", "interrupted", "failed", "aborted", "broken"]
    reason: str = ""
