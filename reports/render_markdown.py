"""A Report as Markdown: readable in a terminal and on a code-hosting page."""

from collections.abc import Collection

from reports import model
from reports.model import Block, Bullets, Claim, Command, Report, Table


def render(report: Report, plots: Collection[str] = ()) -> str:
    """The document; ``plots`` are the names of the plots that lie beside it in ``plots/``."""
    parts = [f"# {plain(report.headline)}"]
    for section in report.sections:
        parts.append(f"## {section.title}")
        parts += [_block(block) for block in section.blocks]
        parts += [f"![{name}](plots/{name}.svg)" for name in section.plots if name in plots]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Claim):
        return plain(block.words())
    if isinstance(block, Bullets):
        return "\n".join(f"- {plain(claim.words())}" for claim in block.claims)
    if isinstance(block, Command):
        return "\n".join(["```", *(line.replace("`", "'") for line in block.lines), "```"])
    return _table(block)


def _table(table: Table) -> str:
    if not table.rows:
        return "(none)"
    lines = [list(table.columns), *([plain(model.bare_cell(cell)) for cell in row] for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def plain(text: str) -> str:
    """Recorded words in one line, without what Markdown or HTML would take for its own."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
