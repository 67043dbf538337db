"""Running a plan inside the test process, with either generator."""

from collections.abc import Callable
from pathlib import Path

from stress.load.generator import make_generator
from stress.load.plan import LoadPlan, checked
from stress.load.result import LoadLine, LoadResult
from stress.load.session import Session
from stress.load.tables import mix_of

Lines = list[LoadLine]
RunPlan = Callable[[LoadPlan], tuple[LoadResult, Lines]]


def runs(generator_name: str, folder: Path) -> RunPlan:
    """A function that runs a plan; HDR logs go to the folder."""

    def run(plan: LoadPlan) -> tuple[LoadResult, Lines]:
        mix = mix_of(checked(plan))
        generator = make_generator(plan, mix, generator_name)
        lines: Lines = []
        try:
            return Session(plan, mix, generator, folder, lines.append).run(), lines
        finally:
            generator.close()

    return run
