"""The factor language: its syntax tree, and a parser that says where an expression is wrong and what was expected.

Lowest precedence first: `a ? b : c`, `||`, `&&`, comparisons, `+ -`, `* /`, unary `-`, `^` (right-associative).
Names are fields (`close`, `adv20`) or functions; a window is a whole number.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from engines.wire.errors import UnknownName, UsageError

Kind = Literal["series", "window", "number"]
FIELDS = ("open", "high", "low", "close", "volume", "returns")
FUNCTIONS: dict[str, tuple[Kind, ...]] = {
    **dict.fromkeys(("abs", "log", "sign", "rank", "scale"), ("series",)),
    **dict.fromkeys(("max", "min"), ("series", "series")),
    **dict.fromkeys(
        ("delay", "delta", "ts_sum", "ts_mean", "ts_std", "ts_min", "ts_max", "ts_rank", "ts_argmax", "ts_argmin"),
        ("series", "window"),
    ),
    **dict.fromkeys(("ts_product", "decay_linear", "slope", "rsquare", "resi"), ("series", "window")),
    **dict.fromkeys(("corr", "cov"), ("series", "series", "window")),
    "ts_quantile": ("series", "window", "number"),
    "signed_power": ("series", "series"),
}
LONGEST = 4_000  # characters
DEEPEST = 60  # nested parentheses, calls and signs
WIDEST = 500  # bars in a window
_ADV = re.compile(r"adv([1-9]\d{0,2})")
_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|&&|\|\||[-+*/^<>?:(),])|(\S))"
)
_LEVELS = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "^": 7,
}
_UNARY = 6


class ExpressionError(UsageError):
    """An expression is wrong at `position` (characters from 0)."""

    def __init__(self, text: str, position: int, expected: str, found: str, hint: str = "") -> None:
        shown = f"{text[max(0, position - 30) : position]} >>> {text[position : position + 20]}"
        super().__init__(
            f"The expression is wrong at character {position + 1}: expected {expected}, found {found}.",
            f"Here: {shown.strip()}",
            hint,
        )
        self.position = position


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Field:
    """A column of the bars, or `adv<n>`: the mean volume of n bars."""

    name: str


@dataclass(frozen=True)
class Negative:
    """Unary minus."""

    of: "Node"


@dataclass(frozen=True)
class Binary:
    """An operator between two operands."""

    op: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class Choice:
    """`condition ? then : otherwise`."""

    condition: "Node"
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True)
class Call:
    """A function: series first, then plain numbers (windows, quantiles)."""

    name: str
    series: tuple["Node", ...]
    numbers: tuple[float, ...] = ()


Node = Number | Field | Negative | Binary | Choice | Call


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """The syntax tree of an expression.

    Raises:
        ExpressionError: where it is wrong, and what was expected there.
    """
    if len(text) > LONGEST:
        raise ExpressionError(text, LONGEST, f"at most {LONGEST} characters", str(len(text)))
    parser = _Parser(text)
    node = parser.choice()
    parser.expect("")
    return node


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str, int]] = []  # kind, text, position
        for match in _TOKEN.finditer(text):
            kind = ("number", "name", "sign", "odd")[(match.lastindex or 1) - 1]
            self._tokens.append((kind, match.group(match.lastindex or 1), match.start(match.lastindex or 1)))
        self._tokens.append(("end", "", len(text)))
        self._at = 0
        self._depth = 0

    def fail(self, expected: str, hint: str = "") -> ExpressionError:
        kind, text, position = self._tokens[self._at]
        return ExpressionError(self._text, position, expected, "the end" if kind == "end" else repr(text), hint)

    def take(self, text: str) -> bool:
        kind, found, _ = self._tokens[self._at]
        if kind != "sign" or found != text:
            return False
        self._at += 1
        return True

    def expect(self, text: str) -> None:
        if text:
            if not self.take(text):
                raise self.fail(repr(text))
        elif self._tokens[self._at][0] != "end":
            raise self.fail("an operator or the end")

    def choice(self) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.fail(f"at most {DEEPEST} levels of nesting")
        node = self.binary(1)
        if self.take("?"):
            then = self.choice()
            self.expect(":")
            node = Choice(node, then, self.choice())
        self._depth -= 1
        return node

    def binary(self, lowest: int) -> Node:
        left = self.operand()
        while True:
            kind, op, _ = self._tokens[self._at]
            level = _LEVELS.get(op, 0) if kind == "sign" else 0
            if level < lowest or level == 0:
                return left
            self._at += 1
            left = Binary(op, left, self.binary(level if op == "^" else level + 1))

    def operand(self) -> Node:
        kind, text, _ = self._tokens[self._at]
        if self.take("-"):
            self._depth += 1
            if self._depth > DEEPEST:
                raise self.fail(f"at most {DEEPEST} levels of nesting")
            of = self.binary(_UNARY)
            self._depth -= 1
            return Number(-of.value) if isinstance(of, Number) else Negative(of)
        if self.take("("):
            node = self.choice()
            self.expect(")")
            return node
        if kind == "number":
            self._at += 1
            return Number(float(text))
        if kind != "name":
            raise self.fail("a number, a field, a function or '('")
        following = self._tokens[self._at + 1][1]
        return self.call(text) if following == "(" else self.field(text)

    def field(self, name: str) -> Field:
        if name not in FIELDS and not _ADV.fullmatch(name):
            raise self.fail("a field", UnknownName("field", name, (*FIELDS, "adv20")).next_step)
        self._at += 1
        return Field(name)

    def call(self, name: str) -> Call:
        kinds = FUNCTIONS.get(name)
        if kinds is None:
            raise self.fail("a function", UnknownName("function", name, FUNCTIONS).next_step)
        self._at += 1
        self.expect("(")
        series: list[Node] = []
        numbers: list[float] = []
        for place, kind in enumerate(kinds):
            if place:
                self.expect(",")
            if kind == "series":
                series.append(self.choice())
            else:
                numbers.append(self.constant(kind))
        self.expect(")")
        return Call(name, tuple(series), tuple(numbers))

    def constant(self, kind: Kind) -> float:
        sort, text, _ = self._tokens[self._at]
        value = float(text) if sort == "number" else -1.0
        if kind == "window" and not (value.is_integer() and 1 <= value <= WIDEST):
            raise self.fail(f"a window: a whole number from 1 to {WIDEST}")
        if kind == "number" and not 0 <= value <= 1:
            raise self.fail("a number from 0 to 1")
        self._at += 1
        return value


def lookback(node: Node) -> int:
    """How many bars before a bar its value needs."""
    match node:
        case Number():
            return 0
        case Field(name):
            return 1 if name == "returns" else adv_window(name) - 1
        case Negative(of):
            return lookback(of)
        case Binary(_, left, right):
            return max(lookback(left), lookback(right))
        case Choice(condition, then, otherwise):
            return max(lookback(condition), lookback(then), lookback(otherwise))
        case Call(name, series, numbers):
            window = int(numbers[0]) if numbers else 0
            return max(lookback(item) for item in series) + (
                window if name in ("delay", "delta") else max(0, window - 1)
            )


def adv_window(name: str) -> int:
    """n of `adv<n>`; 1 for any other field."""
    match = _ADV.fullmatch(name)
    return int(match.group(1)) if match else 1


def text_of(node: Node, lowest: int = 0) -> str:
    """The expression of a tree, with no more parentheses than it needs."""
    match node:
        case Number(value):
            text, level = f"{value:.12g}", 8 if value >= 0 else _UNARY
        case Field(name):
            text, level = name, 8
        case Negative(of):
            text, level = f"-{text_of(of, _UNARY)}", _UNARY
        case Binary(op, left, right):
            level = _LEVELS[op]
            ends = (level + 1, level) if op == "^" else (level, level + 1)
            text = f"{text_of(left, ends[0])} {op} {text_of(right, ends[1])}"
        case Choice(condition, then, otherwise):
            text, level = f"{text_of(condition, 1)} ? {text_of(then)} : {text_of(otherwise)}", 0
        case Call(name, series, numbers):
            text, level = f"{name}({', '.join([*map(text_of, series), *(f'{n:g}' for n in numbers)])})", 8
    return text if level >= lowest else f"({text})"
