"""The sample covariance, as engines compute it and the profiler times it: one implementation for both.

With numpy, or compiled by numba: less to set up, so faster for few columns, but slower than a matrix product for many.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
KERNEL = "covariance"
ROWS = 250  # observations that the profiler times it with; a kernel's size is its number of columns


def covariance(sample: Floats) -> Floats:
    """Sample covariance (ddof 1) of observations x variables."""
    centred = sample - sample.mean(axis=0)
    return centred.T @ centred / (len(sample) - 1)


def compiled() -> Callable[[Floats], Floats]:
    """The same, compiled; imports numba (about a second where it is not loaded yet)."""
    from engines.wire.covariance_compiled import covariance as kernel

    return kernel
