"""The sample covariance as a serial numba kernel; importing this imports numba."""

import numpy as np
import numpy.typing as npt
from numba import njit


@njit(cache=True)
def covariance(sample: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sample covariance (ddof 1) of observations x variables: two passes, the lower half, mirrored."""
    rows, columns = sample.shape
    mean = np.zeros(columns)
    for t in range(rows):
        for i in range(columns):
            mean[i] += sample[t, i]
    mean /= rows
    total = np.zeros((columns, columns))
    away = np.empty(columns)
    for t in range(rows):
        for i in range(columns):
            away[i] = sample[t, i] - mean[i]
        for i in range(columns):
            for j in range(i + 1):
                total[i, j] += away[i] * away[j]
    for i in range(columns):
        for j in range(i + 1):
            total[i, j] /= rows - 1
            total[j, i] = total[i, j]
    return total
