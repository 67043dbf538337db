"""The operators of the factor language over panels: float arrays of shape (bars, symbols), NaN where undefined.

A window is full or its value is NaN, and a NaN inside it makes it NaN.  Conventions, which published sources leave
open: standard deviation and covariance with ddof 1; ranks are average percentiles in (0, 1], as pandas'
`rank(pct=True)`; `ts_argmax` counts from 1 at the oldest bar and takes the first of equals; quantiles interpolate
linearly; the result of a division by zero, of the log of what is not positive, and of a correlation with a constant
is NaN.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
_Reduce = Callable[[Matrix], Matrix]


def rolled(x: Matrix, window: int, reduce: _Reduce) -> Matrix:
    """`reduce` over the last axis of (bars, symbols, window), NaN before the first full window."""
    out = np.full(x.shape, np.nan)
    if x.shape[0] >= window:
        out[window - 1 :] = reduce(np.lib.stride_tricks.sliding_window_view(x, window, axis=0))
    return out


def finite(x: Matrix) -> Matrix:
    """NaN for what is infinite."""
    return np.where(np.isfinite(x), x, np.nan)


def delay(x: Matrix, n: int) -> Matrix:
    """The value n bars before."""
    out = np.full(x.shape, np.nan)
    out[n:] = x[: max(0, x.shape[0] - n)]
    return out


def rank(x: Matrix) -> Matrix:
    """Percentile across symbols, ties averaged."""
    below = (x[:, :, None] > x[:, None, :]).sum(axis=2)
    equal = (x[:, :, None] == x[:, None, :]).sum(axis=2)
    known = np.isfinite(x).sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isnan(x), np.nan, (below + (equal + 1) / 2) / known)


def scale(x: Matrix) -> Matrix:
    """Divided by the sum of absolute values across symbols."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return finite(x / np.nansum(np.abs(x), axis=1, keepdims=True))


def ts_rank(x: Matrix, n: int) -> Matrix:
    """Percentile of the last bar among the window's, ties averaged."""

    def last_rank(w: Matrix) -> Matrix:
        last = w[..., -1:]
        percentile: Matrix = ((w < last).sum(axis=-1) + ((w == last).sum(axis=-1) + 1) / 2) / n
        return np.where(np.isnan(w).any(axis=-1), np.nan, percentile)

    return rolled(x, n, last_rank)


def ts_arg(x: Matrix, n: int, pick: Callable[..., npt.NDArray[np.intp]]) -> Matrix:
    """Place of the extreme in the window, from 1 at the oldest bar."""
    return rolled(x, n, lambda w: np.where(np.isnan(w).any(axis=-1), np.nan, pick(w, axis=-1) + 1.0))


def decay_linear(x: Matrix, n: int) -> Matrix:
    """Weighted mean, weights n, n-1, ... 1 from the newest bar back."""
    weights = np.arange(1.0, n + 1)
    return rolled(x, n, lambda w: w @ (weights / weights.sum()))


def cov(x: Matrix, y: Matrix, n: int) -> Matrix:
    """Sample covariance of the window's pairs."""
    if n == 1:
        return np.full(x.shape, np.nan)
    a, b = _centred(x, n), _centred(y, n)
    return _padded((a * b).sum(axis=-1) / (n - 1), x.shape, n)


def corr(x: Matrix, y: Matrix, n: int) -> Matrix:
    """Pearson correlation of the window's pairs."""
    a, b = _centred(x, n), _centred(y, n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (a * b).sum(axis=-1) / np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    value[_constant(x, n) | _constant(y, n)] = np.nan
    return _padded(np.clip(value, -1.0, 1.0), x.shape, n)


def regression(x: Matrix, n: int) -> tuple[Matrix, Matrix, Matrix]:
    """Least squares of the window on 1..n: slope, coefficient of determination, residual of the last bar."""
    time = np.arange(n) - (n - 1) / 2
    centred = _centred(x, n)
    if n == 1:
        nothing = np.full(x.shape, np.nan)
        return nothing, nothing, nothing
    slope = centred @ time / (time @ time)
    with np.errstate(invalid="ignore", divide="ignore"):
        square = slope**2 * (time @ time) / (centred * centred).sum(axis=-1)
    square[_constant(x, n)] = np.nan
    residual = centred[..., -1] - slope * time[-1]
    return _padded(slope, x.shape, n), _padded(square, x.shape, n), _padded(residual, x.shape, n)


def _windows(x: Matrix, n: int) -> Matrix:
    if x.shape[0] < n:
        return np.empty((0, x.shape[1], n))
    return np.lib.stride_tricks.sliding_window_view(x, n, axis=0)


def _centred(x: Matrix, n: int) -> Matrix:
    windows = _windows(x, n)
    return windows - windows.mean(axis=-1, keepdims=True)


def _constant(x: Matrix, n: int) -> npt.NDArray[np.bool_]:
    windows = _windows(x, n)
    return windows.max(axis=-1) == windows.min(axis=-1)


def _padded(values: Matrix, shape: tuple[int, ...], n: int) -> Matrix:
    out = np.full(shape, np.nan)
    out[n - 1 :] = values
    return out
