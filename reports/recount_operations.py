"""The second path to the figures of requests that act, over raw JSON objects."""

from collections.abc import Iterator

from reports.recount_rows import Fields, Rows

Number = float | str | None
Pairs = Iterator[tuple[str, Number]]
_STEPS = ("arrived", "opened", "first_tick_due", "first_tick")


def figures(rows: Rows) -> dict[str, Number]:
    """All of them."""
    begun = {row["request"]: row for row in rows.of("kill_switch") if row.get("request")}
    pairs = [pair for row in begun.values() for pair in _answer(row)]
    for row in rows.of("request_hop"):
        pairs += _hop(row, begun.get(row["request"], {}).get("ordered_ns"))
    for row in rows.of("replay"):
        pairs += [
            (f"replay.{row['phase']}.{step}_ms", _after(row.get(f"{step}_ns"), row["asked_ns"])) for step in _STEPS
        ]
    return dict(pairs)


def _answer(row: Fields) -> Pairs:
    for step in ("arrived", "answered"):
        yield f"request.{row['phase']}.{step}_ms", _after(row.get(f"{step}_ns"), row["ordered_ns"])


def _hop(row: Fields, zero: int | None) -> Pairs:
    head = ".".join(("request", row["phase"], row["producer"], row["topic"]))
    yield f"{head}.count", float(row["count"])
    for end in ("first", "last"):
        yield f"{head}.{end}_ms", _after(row[f"{end}_ns"], zero)


def _after(at: int | None, zero: int | None) -> float | None:
    if at is None or zero is None:
        return None
    return (at - zero) * 1e-6
