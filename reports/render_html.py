"""A Report as one self-contained HTML page: no script, no network, light and dark, printable."""

from collections.abc import Mapping
from html import escape

from reports import model
from reports.model import Block, Bullets, Claim, Command, Report, Table

PLOT_OPEN, PLOT_CLOSE = "<figure>", "</figure>\n"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.25rem 0.6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } th { background: var(--faint); }
pre { background: var(--faint); padding: 0.8rem; overflow-x: auto; }
figure { margin: 1rem 0; background: #fff; } figure svg { width: 100%; height: auto; }
@media print { body { max-width: none; margin: 0; font-size: 10px; } h2 { break-after: avoid; } }
"""


def render(report: Report, plots: Mapping[str, str] | None = None) -> str:
    """The page; ``plots`` are SVG documents by name, set in where their section names them."""
    drawn = plots or {}
    body = [f"<h1>{escape(report.headline)}</h1>\n"]
    for section in report.sections:
        body.append(f"<h2>{escape(section.title)}</h2>\n")
        body += [_block(block) for block in section.blocks]
        body += [f"{PLOT_OPEN}{_inline(drawn[name])}{PLOT_CLOSE}" for name in section.plots if name in drawn]
    head = f'<meta charset="utf-8"><title>{escape(report.headline)}</title>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{head}{view}<style>{_STYLE}</style></head>\n'
        f"<body>\n{''.join(body)}</body>\n</html>\n"
    )


def without_plots(page: str) -> str:
    """The page as it would be without its plots."""
    pieces = page.split(PLOT_OPEN)
    return pieces[0] + "".join(piece.split(PLOT_CLOSE, 1)[-1] for piece in pieces[1:])


def _block(block: Block) -> str:
    if isinstance(block, Claim):
        return f"<p>{escape(block.words())}</p>\n"
    if isinstance(block, Bullets):
        return "<ul>\n" + "".join(f"<li>{escape(claim.words())}</li>\n" for claim in block.claims) + "</ul>\n"
    if isinstance(block, Command):
        return "<pre>" + escape("\n".join(block.lines)) + "</pre>\n"
    return _table(block)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = ("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in table.rows)
    return (
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{"".join(rows)}</tbody></table></div>\n'
    )


def _cell(cell: model.Cell) -> str:
    numeric = not isinstance(cell, str) and cell.number is not None
    return f"<td{' class=n' if numeric else ''}>{escape(model.bare_cell(cell))}</td>"


def _inline(svg: str) -> str:
    """The svg element without the XML prologue."""
    return svg[svg.index("<svg") :].strip()
