"""What a mission asks of the figures of its phases: `thresholds = ["p99_ms < 20", "risk.errors.worst_second == 0"]`.

A metric may name an engine before it (`risk.p99_ms`, otherwise all of them count), and `.worst_second` after it where
seconds are told apart.  `reports.rules.thresholds` holds what can be named.
"""

from collections.abc import Iterator, Sequence

from engines.wire import manifest as manifests
from engines.wire.errors import UnknownName
from reports.records import Threshold
from reports.rules.thresholds import ALL, METRICS
from stress.condition import SIGNS, read
from stress.specs.base import Spec

_SECOND = ".worst_second"


def mistakes(spec: Spec) -> Iterator[str]:
    """Everything that is wrong with a phase's thresholds."""
    for text in spec.thresholds:
        found = _threshold(text, spec, spec.title, 1)
        if isinstance(found, str):
            yield f"thresholds: {text!r}: {found}"


def declared(phases: Sequence[Spec]) -> list[Threshold]:
    """The thresholds of each phase, numbered from 1 within it, as the run's record holds them."""
    found = [
        _threshold(text, spec, phase, number)
        for spec in phases
        for phase in spec.judged()
        for number, text in enumerate(spec.thresholds, 1)
    ]
    return [each for each in found if isinstance(each, Threshold)]


def known(spec: Spec) -> list[str]:
    """What thresholds of a phase may name."""
    return [name for name, metric in METRICS.items() if metric.group in spec.MEASURES]


def _threshold(text: str, spec: Spec, phase: str, number: int) -> Threshold | str:
    """The threshold that a text says, or what is wrong with it."""
    names = known(spec)
    if not names:
        return f"the role {spec.role!r} measures nothing that a threshold can name; name a criterion instead"
    asked = read(text)
    if asked is None or asked.for_s is not None:
        return f'expected a metric, a sign and a number, like "{names[0]} < 20"; signs are {", ".join(SIGNS)}'
    base = asked.metric.removesuffix(_SECOND)
    scope, name = ALL, base
    if base not in METRICS and "." in base:
        scope, name = base.split(".", 1)
    engines = [manifest.name for manifest in manifests.discover()]
    wrong = ""
    if name not in names:
        wrong = str(UnknownName("metric", name, names))
    elif scope != ALL and scope not in engines:
        wrong = str(UnknownName("engine", scope, (ALL, *engines)))
    elif scope != ALL and not METRICS[name].scoped:
        wrong = f"{name} is not told apart by engine"
    elif base != asked.metric and not METRICS[name].worst:
        wrong = f"{name} is not told apart by second"
    return wrong or Threshold(
        phase=phase,
        number=number,
        metric=name,
        scope=scope,
        worst_second=base != asked.metric,
        compare=SIGNS[asked.sign],
        value=asked.value,
    )
