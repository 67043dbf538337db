"""The second path to the figures of drills, over raw JSON objects."""

from collections.abc import Iterator

from reports.recount_rows import Fields, Rows

Number = float | str | None
Asked = tuple[float | None, str, float | None, str]


def figures(rows: Rows) -> dict[str, Number]:
    """All of them."""
    pairs = [pair for row in rows.of("kill_switch") for pair in _kill(row)]
    for row in rows.of("reverse_stress"):
        pairs += _reverse(row, [step for step in rows.of("reverse_step") if step["phase"] == row["phase"]])
    states = rows.of("start_state")
    if states:
        pairs.append(("start.missed", float(len(states) - sum(map(_there, states)))))
    for row in rows.of("start_account"):
        pairs += _account(row)
    return dict(pairs)


def found(name: str, figures: dict[str, Number]) -> Asked | None:
    """Value, comparison, own target and subject of a criterion about drills; None for another one."""
    if name == "start-state":
        return _number(figures.get("start.missed")), "=", 0.0, ""
    ends = {"kill-switch": ".flat_s", "kill-switch-residual": ".residual", "reverse-stress": ".apart_percent"}
    end = ends.get(name)
    if end is None:
        return None
    start = "reverse." if name == "reverse-stress" else "killswitch."
    own = {key: _number(value) for key, value in figures.items() if key.startswith(start) and key.endswith(end)}
    values = [value for value in own.values() if value is not None]
    worst = max(values) if values and len(values) == len(own) else None
    if name == "reverse-stress":
        fine = [_number(value) for key, value in figures.items() if key.endswith(".resolution_percent")]
        return worst, "<=", min((value for value in fine if value is not None), default=None), ""
    return worst, "<=" if name == "kill-switch" else "=", 2.0 if name == "kill-switch" else 0.0, ""


def _number(value: Number) -> float | None:
    return value if isinstance(value, float) else None


def _there(state: Fields) -> bool:
    got = state.get("got")
    slack = 0.05 if state["item"] == "margin_use" else 0.0
    return got is not None and abs(got - state["wanted"]) <= slack


def _account(row: Fields) -> Iterator[tuple[str, Number]]:
    name, (cash, equity, tied) = f"start.{row['phase']}", (row[key] for key in ("cash", "equity", "maintenance"))
    yield from ((f"{name}.cash", float(cash)), (f"{name}.equity", float(equity)), (f"{name}.maintenance", float(tied)))
    yield f"{name}.use_percent", tied / equity * 100 if equity > 0 else None


def _kill(row: Fields) -> Iterator[tuple[str, Number]]:
    name = f"killswitch.{row['phase']}"
    for field in ("open_orders", "positions", "exposure"):
        yield f"{name}.{field}", float(row[field])
    for figure, stamp, count in (
        ("orders_gone_s", "orders_gone_ns", "open_orders"),
        ("flat_s", "flat_ns", "positions"),
    ):
        at = row.get(stamp)
        waited = row["watched_s"] if at is None else (at - row["ordered_ns"]) / 1e9
        yield f"{name}.{figure}", float(waited) if row[count] else None
    yield f"{name}.residual", float(row["residual"]) if row["positions"] else None


def _reverse(row: Fields, steps: list[Fields]) -> Iterator[tuple[str, Number]]:
    name = f"reverse.{row['phase']}"
    over = sorted(step["fall"] for step in steps if step["breaches"])
    under = sorted(step["fall"] for step in steps if not step["breaches"])
    yield f"{name}.fall_percent", 100 * over[0] if over else None
    yield f"{name}.held_percent", 100 * under[-1] if under else None
    yield f"{name}.exposure", float(row["exposure"])
    line = (row["loss_limit"] + row["pnl"]) / row["exposure"] if row["exposure"] > 0 else None
    line = line if line is not None and 0 <= line <= row["most"] else None
    yield f"{name}.closed_percent", None if line is None else 100 * line
    first = over[0] if over else row["most"]
    yield f"{name}.apart_percent", 100 * abs(first - (row["most"] if line is None else line)) if steps else None
    yield f"{name}.resolution_percent", 100 * float(row["resolution"])
