"""The checkers in their process: real buses, and what becomes of a child that cannot, or will not end."""

import asyncio
from pathlib import Path

import pytest
from checks_rig import History, S, session

from engines.fleet import buses, folders
from engines.wire.bus import Output
from engines.wire.messages import TOPICS, Accepted, Filled, Order, encode_body, encode_header
from engines.wire.redis_bus import RedisBus
from stress.checks.apart import Collected, Request, Ruling, judge, ruling
from stress.checks.evidence import Mark
from stress.checks.run import CLAUSES
from stress.checks.violation import Outcome, Status, Violation


@pytest.fixture
def home(tmp_path: Path, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fleet's folder whose buses are a server without a fleet."""
    for number, name in enumerate(("MAIN", "MARKET")):
        monkeypatch.setenv(f"NAUTILUS_BUS_{name}_URL", valkey_url.replace("db=0", f"db={number + 12}"))
    where = folders.of("mission", tmp_path)
    where.state.mkdir(parents=True)
    buses.load_secrets(where.secrets)
    return tmp_path


def history() -> History:
    """An order that ended twice."""
    made = History()
    made.add(session(), producer="tape")
    order = Order("a", "s", "AAPL", 1, 5)
    asked = made.add(order, S, "strategy")
    made.add(Accepted(order), S, "risk", asked)
    made.add(Filled("a", "AAPL"), 2 * S)
    made.add(Filled("a", "AAPL"), 3 * S)
    return made


async def publish(url: str, made: History) -> None:
    for number, name in enumerate(("main", "market")):
        bus = RedisBus(url.replace("db=0", f"db={number + 12}"))
        await bus.append(
            [
                (Output(m.topic, encode_header(m.header), encode_body(m.body)), m.entry_id)
                for m in made.sent
                if TOPICS[m.topic] == name
            ]
        )
        await bus.close()


def test_a_broken_clause_is_told_with_its_messages(home: Path, valkey_url: str) -> None:
    async def main() -> tuple[list[Ruling], Collected | None, list[Ruling]]:
        await publish(valkey_url, history())
        first, collected = await judge(Request(fleet="mission", home=str(home)))
        assert collected is not None
        then, _ = await judge(Request(fleet="mission", home=str(home), since=collected.until))
        return first, collected, then

    first, collected, then = asyncio.run(main())
    assert collected is not None
    assert [(each.invariant, each.clause) for each in first] == [(c.invariant, c.words) for c in CLAUSES]
    ended = next(each for each in first if each.clause == "one terminal state")
    assert (ended.status, ended.violations, ended.checked) == (Status.BROKEN, 1, 4)
    assert ended.examples == ("a: it ended 2 times: Filled, Filled [order-events/4-0, order-events/5-0] at 3000000000",)
    assert collected.messages == 5 and collected.until.last["orders"] == "2-0" and collected.until.added["orders"] == 1
    recorder = next(each for each in first if each.clause == "recorder = published")
    assert recorder.status is Status.UNKNOWN and "the recorder's part is missing" in recorder.why
    assert {each.status for each in then} == {Status.UNKNOWN}  # nothing came after that mark


def test_a_child_that_fails_leaves_everything_unknown_with_its_reason(tmp_path: Path) -> None:
    rulings, collected = asyncio.run(judge(Request(fleet="mission", home=str(tmp_path), since=Mark())))
    assert collected is None and len(rulings) == len(CLAUSES)
    assert {each.status for each in rulings} == {Status.UNKNOWN}
    assert all(each.why.startswith("the checkers ended with 1: ") for each in rulings)


def test_a_child_whose_time_is_up_leaves_everything_unknown(tmp_path: Path) -> None:
    rulings, collected = asyncio.run(judge(Request(fleet="mission", home=str(tmp_path)), limit_s=0.01))
    assert collected is None
    assert {each.why for each in rulings} == {"the time was up: 0.01 s"}


def test_a_ruling_tells_who_broke_it_each_with_its_first_example() -> None:
    found = tuple(
        Violation(1, entity, at, "it was told twice", ("fills/1-0",), producer)
        for entity, at, producer in (("a", 1, "strategy"), ("b", 2, "marketdata"), ("c", 3, "strategy"), ("d", 4, ""))
    )
    made = ruling(Outcome(invariant=1, clause="c", status=Status.BROKEN, violations=found))
    assert {name: words[0] for name, words in made.producers.items()} == {"strategy": "a", "marketdata": "b"}
