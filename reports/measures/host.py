"""Figures about the machine and the processes, from the samples."""

from collections.abc import Iterator

from reports.figures import Evidence, Figure
from reports.samples import Samples
from reports.seal import SAMPLES

SAMPLER = "sampler"
"""The name of the process that stands for what took the samples."""


def measure(samples: Samples | None) -> Iterator[Figure]:
    """All sample figures; a run without samples has the host's two as UNKNOWN and none per process."""
    source = (Evidence(SAMPLES),) if samples is not None else ()
    cpu = samples.host_cpu_mean_percent if samples else None
    yield Figure("host.cpu_mean_percent", cpu, "%", "mean over the samples, all cores being the whole", source)
    used = samples.host_memory_max_bytes if samples else None
    yield Figure("host.memory_max_bytes", used, "bytes", "largest sample of the memory in use", source)
    for use in samples.processes if samples else ():
        name = f"process.{use.name}"
        yield Figure(f"{name}.cpu_mean_percent", use.cpu_mean_percent, "%", "mean, one core being the whole", source)
        yield Figure(f"{name}.rss_max_bytes", use.rss_max_bytes, "bytes", "largest resident set", source)
        yield Figure(f"{name}.fds_max", use.fds_max, "files", "most open files", source)
        yield Figure(f"{name}.threads_max", use.threads_max, "threads", "most threads", source)
        if use.name == SAMPLER:
            words = "median over its looks, one core being the whole; looks at a phase's edge, which cost more, are few"
            yield Figure("sampler.cpu_median_percent", use.cpu_median_percent, "%", words, source)
