"""A Report as JUnit XML, for pipelines: one test case a criterion, in the form that Jenkins and its kin read."""

from xml.sax.saxutils import escape, quoteattr

from reports import show
from reports.criteria import Judged, Verdict
from reports.model import Report

_PASSED = (Verdict.EXCEEDED, Verdict.ACHIEVED)


def render(report: Report) -> str:
    """The document. MISSED is a failure, UNKNOWN and INVALID are errors, NOT AVAILABLE is skipped; a run that is not
    whole has an error of its own, so that it never looks green.
    """
    cases = [_case(report.name, item) for item in report.criteria]
    if report.gap is not None:
        cases.append(_element(report.name, "the run is whole", _told("error", report.history.word.upper(), report.gap)))
    failures = sum(item.verdict is Verdict.MISSED for item in report.criteria)
    errors = sum(item.verdict in (Verdict.UNKNOWN, Verdict.INVALID) for item in report.criteria)
    errors += report.gap is not None
    skipped = sum(item.verdict is Verdict.NOT_AVAILABLE for item in report.criteria)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="{skipped}"'
    suite = f"<testsuite name={_quoted(report.title)} {counts}>\n{''.join(cases)}</testsuite>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{suite}</testsuites>\n'


def _case(run: str, item: Judged) -> str:
    words = f"{show.value(item.measured, item.unit)} against {show.value(item.target, item.unit)}"
    words += f" ({item.note})" if item.note else ""
    if item.verdict in _PASSED:
        return _element(run, item.title, f"<system-out>{_text(f'{item.verdict.label}: {words}')}</system-out>")
    if item.verdict is Verdict.NOT_AVAILABLE:
        return _element(run, item.title, f"<skipped message={_quoted(words)}/>")
    kind = "failure" if item.verdict is Verdict.MISSED else "error"
    return _element(run, item.title, _told(kind, item.verdict.label, words))


def _element(run: str, title: str, inside: str) -> str:
    return f"<testcase classname={_quoted(run)} name={_quoted(title)}>{inside}</testcase>\n"


def _told(kind: str, verdict: str, words: str) -> str:
    return f"<{kind} type={_quoted(verdict)} message={_quoted(words)}/>"


def _quoted(text: str) -> str:
    return quoteattr(_printable(text))


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """XML 1.0 has no control characters, not even escaped."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
