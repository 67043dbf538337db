"""The invariants of one phase, judged in a process of its own: its memory and time are bounded, and so is its crash.

The child (`python -m stress.checks`) reads one `Request` as JSON and answers with lines of JSON: `Collected`, then one
`Ruling` a clause.  What it did not answer is UNKNOWN.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from stress.checks.evidence import Limits, Mark
from stress.checks.run import CLAUSES
from stress.checks.violation import Outcome, Status, Violation

LIMIT_S = 120.0
LIMIT_BYTES = 3 << 30
SHOWN = 5
_LONGEST = 300  # characters of an example
_LINE = 1 << 20


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Which fleet, from where on, and what no message tells.  `trace`: that whose trades' publishing is timed."""

    fleet: str
    home: str
    trace: str = ""
    since: Mark = Mark()
    limits: Limits | None = None
    released: tuple[str, ...] = ()


class Collected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The evidence is there.

    `until`: where the next begins; `feed`: HDR histogram, compressed base64, of the microseconds from when the trades
    of the trace were due to when they were sent, empty where they are not whole; `lacking`: why the recorder's part is
    missing.
    """

    until: Mark
    messages: int
    feed: str = ""
    lacking: str = ""


class Ruling(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One clause, judged; `examples`: its first violations in words; `producers`: who broke it, each first one."""

    invariant: int
    clause: str
    status: Status
    checked: int = 0
    violations: int = 0
    examples: tuple[str, ...] = ()
    producers: dict[str, str] = {}
    why: str = ""


_lines = msgspec.json.Decoder(Collected | Ruling)


def ruling(outcome: Outcome) -> Ruling:
    """An outcome in words."""
    return Ruling(
        invariant=outcome.invariant,
        clause=outcome.clause,
        status=outcome.status,
        checked=outcome.checked,
        violations=len(outcome.violations),
        examples=tuple(_words(each) for each in outcome.violations[:SHOWN]),
        producers={each.producer: _words(each) for each in reversed(outcome.violations) if each.producer},
        why=outcome.why,
    )


def _words(found: Violation) -> str:
    shown = ", ".join(found.messages[:4])
    return f"{found.entity}: {found.words} [{shown}] at {found.at_ns}"[:_LONGEST]


async def judge(request: Request, limit_s: float = LIMIT_S) -> tuple[list[Ruling], Collected | None]:
    """Every clause in order, and what was collected; None where it could not be.

    What the child did not answer in time, or because it ended, is UNKNOWN and says so.
    """
    answered: dict[tuple[int, str], Ruling] = {}
    collected: Collected | None = None
    command = (sys.executable, "-m", "stress.checks")
    pipe, root = asyncio.subprocess.PIPE, Path(__file__).parents[2]
    child = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LINE, cwd=root, start_new_session=True
    )
    complaint = asyncio.create_task(_all(child.stderr))
    why = ""
    try:
        async with asyncio.timeout(limit_s):
            async for line in _answers(child, msgspec.json.encode(request)):
                if isinstance(line, Ruling):
                    answered[line.invariant, line.clause] = line
                else:
                    collected = line
            code = await child.wait()
        last = (await complaint).strip().splitlines()[-1:]
        why = f"the checkers ended with {code}: {last[0] if last else 'nothing said'}"
    except TimeoutError:
        why = f"the time was up: {limit_s:g} s"
    except (OSError, ValueError) as error:
        why = f"the checkers' answer broke off: {type(error).__name__}: {error}"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        complaint.cancel()
    left = (Ruling(invariant=c.invariant, clause=c.words, status=Status.UNKNOWN, why=why) for c in CLAUSES)
    return [answered.get((each.invariant, each.clause), each) for each in left], collected


async def _answers(child: asyncio.subprocess.Process, request: bytes) -> AsyncIterator[Collected | Ruling]:
    if child.stdin is None or child.stdout is None:
        raise AssertionError("the child has pipes")
    child.stdin.write(request)
    child.stdin.close()
    async for line in child.stdout:
        yield _lines.decode(line)


async def _all(stream: asyncio.StreamReader | None) -> str:
    return (await stream.read()).decode("utf-8", "replace") if stream is not None else ""
