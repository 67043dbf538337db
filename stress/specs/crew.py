"""How many processes a phase's generator has, as data, and what is wrong with a number."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from engines.wire import manifest as manifests
from stress.load.processes import AUTO_MOST
from stress.specs.base import Mix

Processes = Annotated[int, Meta(ge=1, le=16)] | Literal["auto"]


def able(mix: Mix) -> tuple[str, ...]:
    """Every engine that has requests of the mix."""
    return tuple(each.name for each in manifests.discover() if any(request.mix == mix for request in each.load))


def crew_mistakes(processes: Processes, connections: int, engines: int) -> Iterator[str]:
    """Each of a generator's processes has a connection to each engine that is asked."""
    most = AUTO_MOST if processes == "auto" else processes
    if most > 1 and connections < most * engines:
        told = f"auto may be {most}" if processes == "auto" else str(most)
        yield f"processes: {told}, which needs {most * engines} connections to {engines} engines"


def few_mistakes(processes: Processes, outstanding: int, field: str) -> Iterator[str]:
    """Each of a generator's processes has a request outstanding."""
    most = AUTO_MOST if processes == "auto" else processes
    if outstanding < most:
        yield f"{field}: fewer than the {most} processes of the generator"


def crew_words(processes: Processes) -> str:
    """For people; nothing when it is one."""
    return "" if processes == 1 else f", {processes} generator processes"
