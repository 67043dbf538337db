"""The generator as a process: ``python -m stress.load PLAN.json FOLDER``, or ``-`` for a plan on standard input.

One of several takes ``+``: the plan is the first line of standard input, and for every phase that it says to be waiting
for, a line with the phase's first instant (CLOCK_MONOTONIC, ns) follows; the end of the input stops it.

Writes JSON lines to standard output (stress.load.result.LoadLine) and HDR logs to the folder.  SIGTERM and SIGINT
stop the sending; what was measured is still written.  Exit: 0 ran, 1 failed, 2 the plan cannot be run.
"""

import signal
import sys
from pathlib import Path
from types import FrameType

import msgspec

from stress.load.errors import LoadError
from stress.load.generator import make_generator
from stress.load.plan import LoadPlan, Phase, checked, own_share
from stress.load.priority import ask_for_short_slices, stop_with_parent
from stress.load.result import LoadFailure, LoadLine, LoadWaiting
from stress.load.session import Session, at_once
from stress.load.tables import mix_of


def emit(line: LoadLine) -> None:
    """Write one line at once."""
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


def read_plan(source: str) -> LoadPlan:
    """A plan from a file, or from standard input for ``-``.  Raises LoadError."""
    try:
        if source == "+":
            data = sys.stdin.buffer.readline()
        else:
            data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return checked(msgspec.json.decode(data, type=LoadPlan))
    except (OSError, msgspec.DecodeError) as error:
        raise LoadError("The load plan cannot be read.", str(error), "Correct the plan and run it again.") from error


def when_told(phase: Phase, _: int) -> int | None:
    """The instant that the parent names for a phase; None when it names none."""
    emit(LoadWaiting(phase.name))
    line = sys.stdin.buffer.readline()
    return int(line) if line else None


def main(arguments: list[str]) -> int:
    """Run the plan that the arguments name: PLAN FOLDER [epoll|asyncio]."""
    if len(arguments) not in (2, 3):
        sys.stderr.write("usage: python -m stress.load PLAN.json|- FOLDER [epoll|asyncio]\n")
        return 2
    try:
        plan = own_share(read_plan(arguments[0]))
        mix = mix_of(plan)
        generator = make_generator(plan, mix, *arguments[2:])
        ask_for_short_slices()
        begin = when_told if arguments[0] == "+" else at_once
        session = Session(plan, mix, generator, Path(arguments[1]), emit, begin)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            session.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        stop_with_parent()
        emit(session.run())
        generator.close()
    except LoadError as error:
        emit(LoadFailure(error.what, error.why, error.next_step))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
