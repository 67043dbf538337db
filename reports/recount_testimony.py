"""The second path to what engines say of themselves: raw JSON objects, and no code of the first."""

from collections.abc import Iterator, Mapping

from reports.recount_rows import Fields, Rows

Number = float | str | None
_NUMBERS = (("said_processed", "processed"), ("said_dead_lettered", "dead_lettered"))


def figures(rows: Rows, counted: Mapping[str, Number], phases: list[str]) -> dict[str, Number]:
    """Who was heard, who contradicted the records, what lay unread, and who answered late."""
    heard = {record["engine"]: record for record in rows.of("testimony")}
    found: dict[str, Number] = {}
    if heard:
        found["health.heard"] = float(len(heard))
        found["health.contradicted"] = float(sum(1 for record in heard.values() if lies(record, rows)))
        found["health.unread"] = float(sum(record["unread"] for record in heard.values()))
    if phases:
        found["load.late"] = _late(rows, counted, phases)
    return found


def disagree(rows: Rows) -> bool:
    """Whether the last word of any engine is contradicted."""
    return any(lies(record, rows) for record in {row["engine"]: row for row in rows.of("testimony")}.values())


def lies(record: Fields, rows: Rows) -> bool:
    """Whether an engine says what its supervisor or the bus knows to be otherwise."""
    pid, uptime = record.get("said_pid"), record.get("said_uptime_s")
    if None not in (pid, record.get("pid")) and pid != record["pid"]:
        return True
    if uptime is not None and not _old_enough(uptime, record, rows):
        return True
    if not record["still_s"]:
        return False
    if any(record.get(said) is not None and record[said] != record[known] for said, known in _NUMBERS):
        return True
    return record.get("status") == "healthy" and record.get("said_lag") == 0 and record["unread"] > 0


def _old_enough(uptime: float, record: Fields, rows: Rows) -> bool:
    """It is not older than its process by a second, nor younger by two than since it was seen ready."""
    age = record.get("age_s")
    if age is not None and uptime - age > 1.0:
        return False
    seen = [
        boot["mono_ns"]
        for boot in rows.of("boot")
        if (boot["engine"], boot["pid"]) == (record["engine"], record.get("pid"))
    ]
    return not seen or uptime >= (record["mono_ns"] - seen[-1]) / 1e9 - 2.0


def _late(rows: Rows, counted: Mapping[str, Number], phases: list[str]) -> float | None:
    names: set[str] = set()
    for phase in phases:
        asked: dict[str, int] = {}
        for row in rows.of("load_summary"):
            if row["phase"] == phase:
                asked[row["engine"]] = asked.get(row["engine"], 0) + row["scheduled"]
        if not asked or min(asked.values()) < 20:
            return None
        medians = {engine: counted.get(f"load.{phase}.{engine}.p50_ms") for engine in asked}
        known = sorted(value for value in medians.values() if isinstance(value, float))
        if len(known) < len(medians):
            return None
        limit = max(100.0, 5.0 * (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2)
        names |= set(_above(medians, limit))
    return float(len(names))


def _above(medians: Mapping[str, Number], limit: float) -> Iterator[str]:
    for engine, value in medians.items():
        if isinstance(value, float) and value > limit:
            yield engine
