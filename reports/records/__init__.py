"""Schemas of the run history: one frozen struct per record kind, told apart by the field ``type``.

Times: ``at`` is UTC wall clock (ISO 8601), ``mono_ns`` CLOCK_MONOTONIC in nanoseconds; market times are UTC nanoseconds
since the epoch. Latencies in ``.hlog`` files are integers in microseconds unless ``hlog_unit`` says otherwise.
Every request of a load phase is in its ``.hlog``: answered, failed and unsent alike.
"""

import math

import msgspec
from msgspec import Struct

from reports.records.backtests import BacktestResult, Backtests
from reports.records.base import (
    HISTORY,
    NOT_SERVER_ERRORS,
    SCHEMA_VERSION,
    Amount,
    Count,
    EngineStatus,
    HlogUnit,
    Record,
    Stress,
)
from reports.records.bus import Hop, Ledger
from reports.records.busbench import BusMode, BusPeer
from reports.records.data import Source
from reports.records.drills import KillSwitch, ReverseStep, ReverseStress, StartAccount, StartState
from reports.records.faults import EngineRecovery, Fault, Recovery
from reports.records.fleet import Boot, Check, FleetBoot, FleetEvent, Health, Memory
from reports.records.hardware import Accelerated, Device, Fact, Inventory, KernelTiming, Route
from reports.records.invariants import Denial, Invariant
from reports.records.load import (
    Calibration,
    Connections,
    Exemplar,
    Generator,
    InFlight,
    Load,
    LoadSummary,
    LoadTargets,
    OtherPrograms,
    SearchStep,
)
from reports.records.market import Alert, Halt, Level, Observer, Pin, Tape, TapeWindow, Toxicity
from reports.records.mission import CriterionTarget, End, Expect, HaltKey, Host, LedgerKey, Phase, Run, Unavailable
from reports.records.operations import Replay, RequestHop
from reports.records.soak import Soak, SoakSample
from reports.records.testimony import Testimony
from reports.records.thresholds import Abort, Threshold

__all__ = [
    "HISTORY",
    "NOT_SERVER_ERRORS",
    "SCHEMA_VERSION",
    "Abort",
    "Accelerated",
    "Alert",
    "Amount",
    "AnyRecord",
    "BacktestResult",
    "Backtests",
    "Boot",
    "BusMode",
    "BusPeer",
    "Calibration",
    "Check",
    "Connections",
    "Count",
    "CriterionTarget",
    "Denial",
    "Device",
    "End",
    "EngineRecovery",
    "EngineStatus",
    "Exemplar",
    "Expect",
    "Fact",
    "Fault",
    "FleetBoot",
    "FleetEvent",
    "Generator",
    "Halt",
    "HaltKey",
    "Health",
    "HlogUnit",
    "Hop",
    "Host",
    "InFlight",
    "Invariant",
    "Inventory",
    "KernelTiming",
    "KillSwitch",
    "Ledger",
    "LedgerKey",
    "Level",
    "Load",
    "LoadSummary",
    "LoadTargets",
    "Memory",
    "Observer",
    "OtherPrograms",
    "Phase",
    "Pin",
    "Record",
    "Recovery",
    "Replay",
    "RequestHop",
    "ReverseStep",
    "ReverseStress",
    "Route",
    "Run",
    "SearchStep",
    "Soak",
    "SoakSample",
    "Source",
    "StartAccount",
    "StartState",
    "Stress",
    "Tape",
    "TapeWindow",
    "Testimony",
    "Threshold",
    "Toxicity",
    "Unavailable",
    "decode",
    "encode",
]

AnyRecord = (
    Run | Host | Phase | Boot | FleetBoot | Health | Calibration | Load | LoadSummary | Generator | Connections
    | Ledger | Hop | Tape | Level | Halt | Alert | Observer | FleetEvent | Fault | Recovery | EngineRecovery
    | Memory | Unavailable | End
    | Source | InFlight | SearchStep | Backtests | BacktestResult
    | LoadTargets | Abort | StartState | StartAccount | KillSwitch | ReverseStep | ReverseStress | Testimony | Toxicity
    | Inventory | Device | KernelTiming | Route | Accelerated | BusMode | BusPeer | Soak | SoakSample
    | Invariant | Denial | Exemplar | OtherPrograms | Replay | RequestHop
)  # fmt: skip

_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_encoder = msgspec.json.Encoder()


def encode(record: AnyRecord) -> bytes:
    """One line of JSON. Raises ValueError on a number that is not finite: JSON would turn it into null in silence."""
    _refuse_not_finite(record, type(record).__name__)
    return _encoder.encode(record)


def decode(payload: bytes) -> AnyRecord:
    """Raises msgspec.ValidationError (or DecodeError) on an unknown kind, unknown field, wrong type or range."""
    return _decoder.decode(payload)


def _refuse_not_finite(value: object, where: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}, and a record holds finite numbers only")
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            _refuse_not_finite(getattr(value, name), f"{where}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_not_finite(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_not_finite(item, where)
