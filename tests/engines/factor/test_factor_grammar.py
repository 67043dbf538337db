"""The factor language: precedence, printing, and errors that say where and what was expected."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.factor.grammar import (
    FUNCTIONS,
    Binary,
    Call,
    Choice,
    ExpressionError,
    Field,
    Negative,
    Node,
    Number,
    lookback,
    parse,
    text_of,
)
from engines.factor.registry import factors


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + 2 * 3", "1 + (2 * 3)"),
        ("1 - 2 - 3", "(1 - 2) - 3"),
        ("2 ^ 3 ^ 4", "2 ^ (3 ^ 4)"),
        ("-close ^ 2", "-(close ^ 2)"),
        ("-close * 2", "(-close) * 2"),
        ("open + 1 < close * 2 && 1 < 2 || 3 < 4", "(((open + 1) < (close * 2)) && (1 < 2)) || (3 < 4)"),
        ("1 < 2 ? 3 : 4 < 5 ? 6 : 7", "(1 < 2) ? 3 : ((4 < 5) ? 6 : 7)"),
        ("open*-close", "open * (-close)"),
        (".5+1e-12", "0.5 + 0.000000000001"),
    ],
)
def test_precedence(text: str, same: str) -> None:
    assert parse(text) == parse(same)


leaf = st.one_of(
    st.sampled_from([0.5, 1.0, -2.0, 1e-12, 750.0]).map(Number), st.sampled_from(["open", "close", "adv20"]).map(Field)
)


def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    negative = inner.filter(lambda node: not isinstance(node, Number)).map(Negative)
    binary = st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "^", "<", "==", "&&", "||"]), inner, inner)
    windowed = st.builds(lambda x, n: Call("ts_mean", (x,), (float(n),)), inner, st.integers(1, 500))
    paired = st.builds(lambda x, y: Call("corr", (x, y), (5.0,)), inner, inner)
    return st.one_of(negative, binary, windowed, paired, st.builds(Choice, inner, inner, inner))


@settings(max_examples=200, deadline=None)
@given(st.recursive(leaf, grow, max_leaves=12))
def test_a_tree_survives_being_printed(node: Node) -> None:
    assert parse(text_of(node)) == node


def test_every_definition_survives_being_printed() -> None:
    for item in factors().values():
        assert parse(text_of(item.node)) == item.node


@pytest.mark.parametrize(
    ("text", "position", "expected", "hint"),
    [
        ("close +", 7, "a number, a field, a function or '('", ""),
        ("clse / open", 0, "a field", "Did you mean 'close'?"),
        ("ts_meen(close, 5)", 0, "a function", "Did you mean 'ts_mean'?"),
        ("ts_mean(close)", 13, "','", ""),
        ("corr(close, open, 2.5)", 18, "a window", ""),
        ("ts_mean(close, 501)", 15, "a window", ""),
        ("ts_mean(close, open)", 15, "a window", ""),
        ("ts_quantile(close, 5, 2)", 22, "a number from 0 to 1", ""),
        ("close open", 6, "an operator or the end", ""),
        ("1 $ 2", 2, "an operator or the end", ""),
        ("(close", 6, "')'", ""),
        ("1 < 2 ? 3", 9, "':'", ""),
        ("(" * 100 + "close" + ")" * 100, 60, "at most 60 levels", ""),
        ("-" * 100 + "close", 60, "at most 60 levels", ""),
        ("1" + " + 1" * 2_000, 4_000, "at most 4000 characters", ""),
        ("", 0, "a number, a field, a function or '('", ""),
    ],
)
def test_errors_name_the_place_and_what_was_expected(text: str, position: int, expected: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.position == position
    assert expected in caught.value.what
    assert caught.value.next_step == hint


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="closevm5,.()+-*/^<>=?:&| _$\n", max_size=40))
def test_any_text_parses_or_is_an_expression_error(text: str) -> None:
    try:
        node = parse(text)
    except ExpressionError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse(text_of(node)) == node


@pytest.mark.parametrize(
    ("text", "bars"),
    [
        ("close", 0),
        ("returns", 1),
        ("adv20", 19),
        ("delay(close, 3)", 3),
        ("ts_mean(delta(returns, 2), 5)", 7),
        ("1", 0),
    ],
)
def test_lookback(text: str, bars: int) -> None:
    assert lookback(parse(text)) == bars


def test_every_function_is_evaluated() -> None:
    """The table of functions and the evaluator know the same names."""
    import numpy as np

    from engines.factor.evaluate import Panel, evaluate

    bars = Panel(*np.random.default_rng(1).random((5, 12, 3)))
    for name, kinds in FUNCTIONS.items():
        arguments = {"series": "close", "window": "3", "number": "0.5"}
        values = evaluate(parse(f"{name}({', '.join(arguments[kind] for kind in kinds)})"), bars)
        assert values.shape == (12, 3), name
        assert np.isfinite(values[-1]).all(), name
