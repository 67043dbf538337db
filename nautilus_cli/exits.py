"""Exit codes, and which error or verdict gives which."""

import enum
import signal

from engines.wire.errors import NotRunning, SettingsError, UsageError


class ExitCode(enum.IntEnum):
    """What a command's exit tells a script."""

    OK = 0
    FAILED = 1  # it could not be done; standard error says why
    USAGE = 2  # the command line, the environment or a file of the user asks for something that cannot be
    NOT_RUNNING = 3  # there is no fleet, or not that part of it
    DEGRADED = 4  # the fleet runs, but not every engine is well
    MISSED = 5  # a mission missed at least one of its criteria
    UNDECIDED = 6  # a mission's verdict is unknown (not measured) or invalid (the rig failed)
    TIMED_OUT = 124  # not in the time it was given; it may still happen
    HUNG_UP = 129  # its terminal is gone; 128 + SIGHUP, the shell's own number for a process that this signal ended
    INTERRUPTED = 130  # Ctrl-C; 128 + SIGINT
    UNREAD = 141  # who read its standard output is gone; 128 + SIGPIPE, as for any filter
    TERMINATED = 143  # 128 + SIGTERM


_VERDICTS = {
    "EXCEEDED": ExitCode.OK,
    "ACHIEVED": ExitCode.OK,
    "NOT AVAILABLE": ExitCode.OK,
    "UNKNOWN": ExitCode.UNDECIDED,
    "INVALID": ExitCode.UNDECIDED,
    "MISSED": ExitCode.MISSED,
}


def of_error(error: BaseException) -> ExitCode:
    """The code of a command that ends with this error."""
    if isinstance(error, UsageError | SettingsError):
        return ExitCode.USAGE
    if isinstance(error, NotRunning):
        return ExitCode.NOT_RUNNING
    if isinstance(error, TimeoutError):  # the fleet's TimedOut is one
        return ExitCode.TIMED_OUT
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED


def of_signal(number: int) -> ExitCode:
    """The code of a command that a signal ended."""
    return {signal.SIGHUP: ExitCode.HUNG_UP, signal.SIGINT: ExitCode.INTERRUPTED}.get(
        signal.Signals(number), ExitCode.TERMINATED
    )


def of_verdict(verdict: str) -> ExitCode:
    """The code of a mission; a verdict that this version does not know decides nothing."""
    return _VERDICTS.get(verdict, ExitCode.UNDECIDED)
