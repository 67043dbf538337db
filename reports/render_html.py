"""A Report as one self-contained HTML page: no network, light and dark, printable; charts to zoom, tables to sort.

Apart from the pictures (`PLOT_OPEN`), the page is the same bytes for the same records, the charts' data included.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from html import escape

from reports import model, render_html_charts, show
from reports.chart import Charts
from reports.criteria import Verdict
from reports.model import Block, Bullets, Claim, Command, Report, Section, Table

PLOT_OPEN = '<figure class="plot">'
"""What each picture of a page begins with."""
FIRST = "Success criteria"
"""The section that a page begins with."""
LONG = 25
"""A table with more rows than this scrolls within the page."""

_TONES = {verdict.label: "bad" for verdict in Verdict} | {
    Verdict.EXCEEDED.label: "good",
    Verdict.ACHIEVED.label: "good",
    Verdict.NOT_AVAILABLE.label: "warn",
    Verdict.UNKNOWN.label: "warn",
}
_NUMBER = re.compile(r"-?[\d,]*\d(\.\d+)?( [^\W\d]\S*| %)?")


def render(report: Report, charts: Charts, plots: Mapping[str, str] | None = None) -> str:
    """The page; ``charts`` and ``plots`` (SVG documents) by name, set in where their section names them."""
    drawn = plots or {}
    sections = sorted(report.sections, key=lambda section: section.title != FIRST)
    body = [_bar(report), _contents(sections), "<main>\n"]
    body += [_section(section, charts, drawn) for section in sections]
    script, style = render_html_charts.bundle()
    scripts = (script, render_html_charts.own("page.js"))
    styles = style + render_html_charts.own("page.css")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>{_head(report, scripts, styles)}</head>\n'
        f"<body>\n{''.join(body)}</main>\n{''.join(f'<script>{each}</script>' for each in scripts)}\n</body>\n</html>\n"
    )


def picture(name: str, svg: str) -> str:
    """A plot as a page holds it."""
    data = base64.b64encode(svg.encode()).decode()
    return f'{PLOT_OPEN}<img alt="{escape(name)}" src="data:image/svg+xml;base64,{data}"></figure>\n'


def _head(report: Report, scripts: tuple[str, ...], styles: str) -> str:
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_hash(styles)}; script-src {' '.join(map(_hash, scripts))}"
    )
    return (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(report.headline)}</title>'
        f"\n<!--\n{render_html_charts.own('uplot-licence.md')}-->\n<style>{styles}</style>"
    )


def _hash(source: str) -> str:
    """What the page's policy knows an inlined script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _bar(report: Report) -> str:
    label = report.verdict.label
    return (
        f'<header class="bar {_TONES[label]}"><div><strong class="badge">{escape(label)}</strong>'
        f"<h1>{escape(report.title)}</h1><p>{escape(report.name)} · {escape(report.state)}</p></div></header>\n"
    )


def _contents(sections: list[Section]) -> str:
    links = (f'<a href="#{_anchor(section)}">{escape(section.title)}</a>' for section in sections)
    return f"<nav>{' '.join(links)}</nav>\n"


def _anchor(section: Section) -> str:
    return re.sub(r"\W+", "-", section.title.lower())


def _section(section: Section, charts: Charts, plots: Mapping[str, str]) -> str:
    parts = [_block(block) for block in section.blocks]
    for name in section.plots:
        if name in charts:
            parts.append(render_html_charts.figure(name, charts[name]))
        elif name in plots:
            parts.append(picture(name, plots[name]))
    title = f"<summary><h2>{escape(section.title)}</h2></summary>"
    return f'<details id="{_anchor(section)}" open>{title}\n{"".join(parts)}</details>\n'


def _block(block: Block) -> str:
    if isinstance(block, Claim):
        return f"<p>{escape(block.words())}</p>\n"
    if isinstance(block, Bullets):
        return "<ul>\n" + "".join(f"<li>{escape(claim.words())}</li>\n" for claim in block.claims) + "</ul>\n"
    if isinstance(block, Command):
        return "<pre>" + escape("\n".join(block.lines)) + "</pre>\n"
    return _table(block)


def _table(table: Table) -> str:
    numeric = [_is_numeric([row[n] for row in table.rows]) for n in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{" class=n" if right else ""}>{escape(column)}</th>'
        for column, right in zip(table.columns, numeric, strict=True)
    )
    rows = ("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in table.rows)
    box = "wide long" if len(table.rows) > LONG else "wide"
    body = "".join(rows)
    return f'<div class="{box}"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n'


def _is_numeric(column: list[model.Cell]) -> bool:
    """Numbers, but for what is empty or unknown."""
    known = [cell for cell in column if model.bare_cell(cell) not in ("", show.UNKNOWN)]
    return bool(known) and all(map(_is_number, known))


def _is_number(cell: model.Cell) -> bool:
    return _NUMBER.fullmatch(model.bare_cell(cell)) is not None


def _cell(cell: model.Cell) -> str:
    text = model.bare_cell(cell)
    name = _TONES.get(text) or ("n" if _is_number(cell) else "")
    return f"<td{f' class={name}' if name else ''}>{escape(text)}</td>"
