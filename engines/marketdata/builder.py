"""Builds a tape in a process of its own, so that neither numba nor its kernels ever hold up the event loop.

The child (`python -m engines.marketdata.builder`) reads the request as JSON from stdin and writes the day to stdout.
On a mistake it exits 1 with what, why and what next as JSON on stderr.
"""

import asyncio
import logging
import sys

import msgspec

from engines.marketdata.day import Day, evidence, from_bytes, to_bytes
from engines.marketdata.request import ReplayRequest
from engines.wire.errors import DataError, NautilusError

log = logging.getLogger(__name__)


class _Mistake(msgspec.Struct):
    """A child's error."""

    what: str
    why: str
    next: str


async def build(request: ReplayRequest) -> Day:
    """The day of `request`; a cancelled build leaves no process.

    Raises:
        DataError: the child failed; its own words, or the end of its stderr.
    """
    scenario = request.resolve()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await child.communicate(msgspec.json.encode(request))
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise _told(child.returncode, err)
    return from_bytes(request, scenario, out)


def _told(code: int, err: bytes) -> DataError:
    try:
        mistake = msgspec.json.decode(err, type=_Mistake)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return DataError(f"The tape's process ended with {code}.", err.decode(errors="replace")[-500:])
    return DataError(mistake.what, mistake.why, mistake.next)


def main() -> int:
    """The child: request in, day out."""
    try:
        from engines.marketdata.lob.book import warm
        from engines.marketdata.tape.overlays.lay import lay
        from engines.marketdata.tape.tape import make

        warm()  # a first run compiles the venue's book here, and not where it would hold up the event loop
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=ReplayRequest)
        scenario = request.resolve()
        tape = lay(make(scenario, request.seed), scenario.overlays)
    except NautilusError as error:
        sys.stderr.buffer.write(msgspec.json.encode(_Mistake(error.what, error.why, error.next_step)))
        return 1
    rows = (tape.trades, tape.quotes, tape.levels, tape.depths, tape.busts)
    sys.stdout.buffer.write(to_bytes(evidence(tape), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
