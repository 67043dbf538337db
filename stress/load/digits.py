"""An arrival's number into its request's id, compiled: the same as `stress.load.ids.of_arrival`, in place."""

from stress.load.ids import DIGITS
from stress.load.layout import Tables, kernel


@kernel
def write_number(t: Tables, at: int, n: int) -> None:
    for k in range(DIGITS):
        digit = (n >> (28 - 4 * k)) & 15
        t.wire[at + k] = digit + (48 if digit < 10 else 87)
