"""What the command line shows: data on standard output, words on standard error.  The only file that knows Rich.

Words that nobody reads any more are dropped; `document`, `line` and `show` raise Unread when their data are.
Colour and motion are for terminals; NO_COLOR and TERM=dumb switch both off, for each stream by itself.
"""

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TextIO, TypeVar

import msgspec

from nautilus_cli import streams
from nautilus_cli.table import Hue, Table, Tone, layout, paint

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Block = Table | str
T = TypeVar("T")
_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_SPEAK_EVERY_S = 15.0  # without a terminal, a long wait says so often that it is alive


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.error/1` document: what failed, why, and what to type next."""

    schema: str = "nautilus.error/1"
    code: int
    what: str
    why: str
    next: str


class Meter(Protocol):
    """Shows how far something is."""

    def update(self, text: str, done: float, total: float, note: str = "") -> None:
        """`done` of `total`, in any unit; `note` says it in words."""


class Console:
    """One command's output."""

    def __init__(self, as_json: bool = False, quiet: bool = False, env: Mapping[str, str] = os.environ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._out, self._err = sys.stdout, sys.stderr
        self._out_live, self._err_live = _lively(self._out, env), _lively(self._err, env)
        self._print: Callable[[str], None] | None = None  # while a meter moves

    def document(self, value: object) -> None:
        """One JSON document, indented."""
        self._data(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")

    def line(self, value: object) -> None:
        """One JSON document on one line, of a stream of them."""
        self._data(msgspec.json.encode(value).decode() + "\n")

    def show(self, *blocks: Block) -> None:
        """Data for people."""
        self._data("".join(self._text(block) + "\n" for block in blocks))

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        """Words on the way; none with -q."""
        if self.quiet:
            return
        if self._print is not None:
            self._print(text)
            return
        self._err.write(paint(text, tone, self._err_live) + "\n")
        self._err.flush()

    def fail(self, failure: Failure) -> None:
        """Why it ended; said with -q too, and as a document with --json."""
        if self.as_json:
            with contextlib.suppress(streams.Unread):  # it has failed already; the words may have a reader
                self.document(failure)
        lines = [paint("Error: ", Tone.BAD, self._err_live) + failure.what.rstrip()]
        lines += [f"  Why:  {failure.why}"] if failure.why else []
        lines += [f"  Next: {failure.next}"] if failure.next else []
        self._err.write("\n".join(lines) + "\n")
        self._err.flush()

    def _data(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
        streams.check(self._out)

    def coloured(self, text: str, tone: Tone | Hue) -> str:
        """A text for `show`, in its tone."""
        return paint(text, tone, self._out_live)

    def printable(self, text: str) -> str:
        """A strange text for `show`: what would steer the terminal is taken out."""
        return _STEERING.sub("", text) if self._out.isatty() else text

    @contextlib.contextmanager
    def meter(self, title: str) -> Iterator[Meter]:
        """A moving bar in a terminal; elsewhere a line each time the text changes or some seconds have gone by."""
        if self.quiet or not self._err_live:
            yield _Lines(self.say)
            return
        from rich.console import Console as Rich
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
        from rich.table import Column as Place

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=Place(no_wrap=True)),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
            TextColumn("{task.fields[note]}", markup=False, table_column=Place(no_wrap=True)),
            TextColumn("{task.fields[text]}", style="dim", markup=False, table_column=Place(ratio=1, no_wrap=True)),
        )
        with Progress(*columns, console=Rich(file=self._err), transient=True, expand=True) as progress:
            self._print = lambda text: progress.console.print(text, markup=False, highlight=False)
            try:
                yield _Bar(progress, progress.add_task(title, total=None, note="", text=""))
            finally:
                self._print = None

    @property
    def moving(self) -> bool:
        """Words go to a terminal that shows motion."""
        return self._err_live and not self.quiet

    @contextlib.contextmanager
    def lent(self, say: Callable[[str], None]) -> Iterator[TextIO]:
        """The words' stream for someone else's screen; inside, words go to `say`."""
        self._print = say
        try:
            yield self._err
        finally:
            self._print = None

    def watch(self, look: Callable[[], T], blocks: Callable[[T], tuple[Block, ...]], every_s: float,
              as_lines: bool) -> None:  # fmt: skip
        """Look again and again until Ctrl-C: in place in a terminal, else block after block, or a JSON line each."""
        with contextlib.suppress(KeyboardInterrupt):
            if as_lines or not self._out_live:
                while True:
                    seen = look()
                    if as_lines:
                        self.line(seen)
                    else:
                        self.show(*blocks(seen), "")
                    time.sleep(every_s)
            self._live(lambda: blocks(look()), every_s)

    def _live(self, look: Callable[[], tuple[Block, ...]], every_s: float) -> None:
        from rich.console import Console as Rich
        from rich.live import Live
        from rich.text import Text

        first = look()  # before the terminal is touched: it may fail
        with Live(console=Rich(file=self._out), auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                text = "\n".join(self._text(block) for block in first)
                live.update(Text.from_ansi(text, no_wrap=True, overflow="crop"), refresh=True)
                streams.check(self._out)
                time.sleep(every_s)
                first = look()

    def _text(self, block: Block) -> str:
        if isinstance(block, str):
            return block
        width = shutil.get_terminal_size().columns if self._out_live else None
        return layout(block, self._out_live, width)


class _Bar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress, self._task = progress, task

    def update(self, text: str, done: float, total: float, note: str = "") -> None:
        self._progress.update(self._task, completed=done, total=total, note=note, text=text)


class _Lines:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said, self._at = "", 0.0

    def update(self, text: str, done: float, total: float, note: str = "") -> None:  # noqa: ARG002 - a bar's business
        now = time.monotonic()
        head = text.partition(":")[0]
        if (head and head != self._said) or now - self._at > _SPEAK_EVERY_S:
            self._said, self._at = head, now
            self._say("  ".join(part for part in (note, text) if part))


def _lively(stream: TextIO, env: Mapping[str, str]) -> bool:
    return stream.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"
