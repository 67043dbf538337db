"""Runbook: messages are late, set aside, delivered again or lost."""

from reports.measures.bus import last_rows
from reports.model import Cell, Claim, Report
from reports.records import Ledger
from reports.runbook import NO_LIMIT, Runbook, Step, limits, missed

_CRITERIA = ("zero-loss", "bus-rate", "tick-to-risk")
_TROUBLES = ("lost", "dead_lettered", "pending", "redeliveries", "reordered")
_WORDS = {
    "lost": "{consumer} lost {count} of topic {topic}.",
    "dead_lettered": "{consumer} set {count} of topic {topic} aside.",
    "pending": "{consumer} had {count} of topic {topic} still to take when the run was accounted for.",
    "redeliveries": "{consumer} was given {count} of topic {topic} again: it was restarted, or too slow to confirm.",
    "reordered": "{consumer} got {count} of topic {topic} out of order.",
}
_TOTALS = {
    "Published": "bus.published",
    "Delivered": "bus.delivered",
    "Set aside": "bus.dead_lettered",
    "Delivered again": "bus.redeliveries",
    "Out of order": "bus.reordered",
}


def book(report: Report) -> Runbook | None:
    """None for a run whose buses were not accounted for."""
    rows = last_rows(report.history)
    if not rows:
        return None
    totals = tuple((word, report.figures[name], NO_LIMIT) for word, name in _TOTALS.items())
    return Runbook(
        title="Message-bus monitoring",
        purpose=Claim("For when messages are late, set aside, delivered again or lost: each consumer's account tells."),
        thresholds=(*limits(report.criteria, *_CRITERIA), *_rate(report), *totals),
        signatures=(*missed(report.criteria, *_CRITERIA), *_signatures(report, rows)),
        steps=_steps(report, _first(rows)),
    )


def _rate(report: Report) -> tuple[tuple[str, Cell, Cell], ...]:
    return (("Processed by every consumer", report.figures["bus.rate_msgs_s"], NO_LIMIT),)


def _signatures(report: Report, rows: list[Ledger]) -> list[Claim]:
    found = []
    for row in rows:
        for trouble in _TROUBLES:
            count = report.figures[f"bus.{row.bus}.{row.topic}.{row.consumer}.{trouble}"]
            if count.number:
                slots: dict[str, Cell] = {"consumer": row.consumer, "count": count, "topic": row.topic}
                found.append(Claim(_WORDS[trouble], slots))
    return found


def _first(rows: list[Ledger]) -> Ledger:
    """The account to look at first: the worst trouble, else the busiest."""
    return max(rows, key=lambda row: (*(getattr(row, trouble) for trouble in _TROUBLES), row.published, row.consumer))


def _steps(report: Report, first: Ledger) -> tuple[Step, ...]:
    own = {"consumer": first.consumer, "topic": first.topic}
    rate = report.figures["bus.rate_msgs_s"]
    return (
        Step(Claim("See what each consumer has taken, and who is behind; here all took {rate}.", {"rate": rate}),
             "nautilus bus stats"),
        Step(Claim("Look at the newest messages of the topic to begin with: {topic}.", own),
             "nautilus bus tail {topic}", own),
        Step(Claim("Find what keeps its consumer {consumer} from its work.", own), "nautilus why {consumer}", own),
        Step(Claim("Read why messages were set aside or refused."),
             "nautilus logs {consumer} --grep 'dead|refused|undecodable|ERROR'", own),
        Step(Claim("If it stays behind, start it again: it goes on from its last commit, and nothing counts twice."),
             "nautilus restart {consumer}", own, changes=True),
        Step(Claim("Measure what buses of their own carry on this machine; it loads the processors meanwhile."),
             "nautilus bus bench", changes=True),
    )  # fmt: skip
