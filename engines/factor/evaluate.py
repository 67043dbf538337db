"""Evaluates a syntax tree over a panel of bars."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engines.factor import operators as ops
from engines.factor.grammar import Binary, Call, Choice, Field, Negative, Node, Number, adv_window
from engines.factor.operators import Matrix

_Windowed = Callable[[Matrix, int], Matrix]
_COMPARE: Mapping[str, np.ufunc] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "&&": np.logical_and,
    "||": np.logical_or,
}
_ARITHMETIC: Mapping[str, np.ufunc] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
}
_PLAIN: Mapping[str, Callable[[Matrix], Matrix]] = {
    "abs": np.abs,
    "log": np.log,
    "sign": np.sign,
    "rank": ops.rank,
    "scale": ops.scale,
}
_WINDOWED: Mapping[str, _Windowed] = {
    "delay": ops.delay,
    "delta": lambda x, n: x - ops.delay(x, n),
    "ts_sum": lambda x, n: ops.rolled(x, n, lambda w: w.sum(axis=-1)),
    "ts_mean": lambda x, n: ops.rolled(x, n, lambda w: w.mean(axis=-1)),
    "ts_std": lambda x, n: ops.rolled(x, n, lambda w: w.std(axis=-1, ddof=1)) if n > 1 else np.full(x.shape, np.nan),
    "ts_min": lambda x, n: ops.rolled(x, n, lambda w: w.min(axis=-1)),
    "ts_max": lambda x, n: ops.rolled(x, n, lambda w: w.max(axis=-1)),
    "ts_product": lambda x, n: ops.rolled(x, n, lambda w: w.prod(axis=-1)),
    "ts_rank": ops.ts_rank,
    "ts_argmax": lambda x, n: ops.ts_arg(x, n, np.argmax),
    "ts_argmin": lambda x, n: ops.ts_arg(x, n, np.argmin),
    "decay_linear": ops.decay_linear,
    "slope": lambda x, n: ops.regression(x, n)[0],
    "rsquare": lambda x, n: ops.regression(x, n)[1],
    "resi": lambda x, n: ops.regression(x, n)[2],
}
_PAIRED: Mapping[str, Callable[[Matrix, Matrix], Matrix]] = {
    "max": np.maximum,
    "min": np.minimum,
    "signed_power": lambda x, y: np.sign(x) * np.abs(x) ** y,
}


@dataclass(frozen=True, eq=False)
class Panel:
    """Bars of several symbols on common times: arrays of shape (bars, symbols), NaN where a symbol has no bar."""

    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    volume: Matrix

    def part(self, start: int, end: int) -> "Panel":
        """The bars from `start` to before `end`, as views."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Panel(*(column[start:end] for column in columns))


def evaluate(node: Node, panel: Panel) -> Matrix:
    """The values of an expression, shape (bars, symbols)."""
    with np.errstate(all="ignore"):
        return _Evaluation(panel).value(node)


class _Evaluation:
    """One evaluation; equal parts of the tree are computed once."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._known: dict[Node, Matrix] = {}

    def value(self, node: Node) -> Matrix:
        found = self._known.get(node)
        if found is None:
            found = self._known[node] = self._compute(node)
        return found

    def _compute(self, node: Node) -> Matrix:
        match node:
            case Number(value):
                return np.full(self._panel.close.shape, value)
            case Field(name):
                return self._field(name)
            case Negative(of):
                return -self.value(of)
            case Binary(op, left, right):
                return _binary(op, self.value(left), self.value(right))
            case Choice(condition, then, otherwise):
                test = self.value(condition)
                chosen = np.where(test != 0, self.value(then), self.value(otherwise))
                return np.where(np.isnan(test), np.nan, chosen)
            case Call():
                return self._call(node)

    def _field(self, name: str) -> Matrix:
        panel = self._panel
        if name == "returns":
            return ops.finite(panel.close / ops.delay(panel.close, 1) - 1)
        if name.startswith("adv"):
            return _WINDOWED["ts_mean"](panel.volume, adv_window(name))
        column: Matrix = getattr(panel, name)
        return column

    def _call(self, node: Call) -> Matrix:
        series = [self.value(item) for item in node.series]
        if node.name in _PLAIN:
            return ops.finite(_PLAIN[node.name](series[0]))
        if node.name in _PAIRED:
            return ops.finite(_PAIRED[node.name](series[0], series[1]))
        window = int(node.numbers[0])
        if node.name == "ts_quantile":
            share = node.numbers[1]
            return ops.rolled(series[0], window, lambda w: np.quantile(w, share, axis=-1))
        if node.name in ("corr", "cov"):
            return (ops.corr if node.name == "corr" else ops.cov)(series[0], series[1], window)
        return _WINDOWED[node.name](series[0], window)


def _binary(op: str, left: Matrix, right: Matrix) -> Matrix:
    if op in _ARITHMETIC:
        return ops.finite(_ARITHMETIC[op](left, right))
    return np.where(np.isnan(left) | np.isnan(right), np.nan, _COMPARE[op](left, right).astype(np.float64))
