"""A group of commands that imports a command's module when it is run, not to list it."""

import importlib
from typing import ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Entry(NamedTuple):
    """A command: the module under `nautilus_cli.commands` with its `app`, and the line that lists it.

    `part`: that `app` holds several commands, of which this is the one of its name.
    """

    module: str
    summary: str
    part: bool = False


class LazyGroup(TyperGroup):
    """Lists stand-ins, resolves to the real command.  Subclasses say which there are, under headings."""

    entries: ClassVar[dict[str, dict[str, Entry]]] = {}

    def __init__(self, **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type] # Typer's own keywords, passed through
        for section in self.entries.values():
            for name, entry in section.items():
                self.commands[name] = TyperCommand(name=name, help=entry.summary, rich_markup_mode=None)

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple:  # type: ignore[type-arg, override] # click's
        """The real command; an unknown one is answered with the nearest."""
        name, command, rest = super().resolve_command(ctx, args)
        for section in self.entries.values():
            if name in section:
                entry = section[name]
                module = importlib.import_module(f"nautilus_cli.commands.{entry.module}")
                found = typer.main.get_command(module.app)
                return name, found.commands[name] if entry.part else found, rest  # type: ignore[attr-defined] # a group
        return name, command, rest

    def format_commands(self, ctx: typer.Context, formatter) -> None:  # type: ignore[no-untyped-def, override] # noqa: ARG002 - click's signature
        """One list a heading, names aligned over all of them."""
        width = max(len(name) for section in self.entries.values() for name in section)
        for title, section in self.entries.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in section.items()])
