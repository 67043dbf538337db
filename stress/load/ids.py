"""A correlation id for every request: ``<run>-<phase>-<n>``, so that a slow one can be found in an engine's log.

n is the arrival's place in the phase's schedule, eight hexadecimal digits that are patched into the request's bytes
just before they are sent; the phase is its place in the plan, two digits.
"""

HEADER = "X-Request-Id"
DIGITS = 8
_BEFORE_DIGITS = 3  # the phase's two digits and a dash


def request_id(run: str, phase: int, n: int) -> str:
    """The id of arrival `n` of phase number `phase`, both from 0."""
    return f"{run}-{phase:02d}-{n:08x}"


def of_phase(wire: bytes, at: int, phase: int) -> bytes:
    """The request with its phase written in front of its digits, which start at `at`; unchanged where `at` is -1."""
    if at < 0:
        return wire
    return wire[: at - _BEFORE_DIGITS] + b"%02d-" % phase + wire[at:]


def of_arrival(wire: bytes, at: int, n: int) -> bytes:
    """The request with the arrival's number in its digits."""
    return wire if at < 0 else wire[:at] + b"%08x" % n + wire[at + DIGITS :]
