"""The registry of factors: `factors.toml`, expanded.  Its length is the number of factors; nothing else counts them."""

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec

from engines.factor.grammar import Node, parse
from engines.wire.errors import UnknownName

FILE = Path(__file__).with_name("factors.toml")


class Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published set of definitions.  `windowed` holds one template per operator, `{n}` being the window."""

    name: str
    source: str
    fixed: dict[str, str]
    note: str = ""
    windows: tuple[int, ...] = ()
    windowed: dict[str, str] = {}
    left_out: dict[str, str] = {}

    def definitions(self) -> dict[str, str]:
        """Name -> expression of every factor of the block."""
        expanded = {
            f"{name}{window}": template.replace("{n}", str(window))
            for name, template in self.windowed.items()
            for window in self.windows
        }
        return {**self.fixed, **expanded}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    block: tuple[Block, ...]


class Factor(msgspec.Struct, frozen=True):
    """One factor: where it is from, and its definition."""

    name: str
    block: str
    expression: str

    @property
    def node(self) -> Node:
        """Its syntax tree."""
        return parse(self.expression)


@lru_cache(maxsize=1)
def blocks() -> tuple[Block, ...]:
    """All blocks of the file."""
    return msgspec.convert(tomllib.loads(FILE.read_text("utf-8")), _File).block


@lru_cache(maxsize=1)
def factors() -> dict[str, Factor]:
    """All factors by name.

    Raises:
        ValueError: two blocks define the same name.
    """
    found: dict[str, Factor] = {}
    for block in blocks():
        for name, expression in block.definitions().items():
            if name in found:
                raise ValueError(f"{name} is defined in {found[name].block} and in {block.name}")
            found[name] = Factor(name, block.name, expression)
    return found


def factor(name: str) -> Factor:
    """The factor called `name`.

    Raises:
        UnknownName: with the nearest name that there is.
    """
    found = factors().get(name)
    if found is None:
        raise UnknownName("factor", name, factors())
    return found
