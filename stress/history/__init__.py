"""Writing a run's records: the chained history, the samples, the seal."""

from reports.history import read
from reports.seal import seal
from stress.history.journal import History, HistoryError
from stress.history.samples import Sampler
from stress.history.stamp import stamp

__all__ = ["History", "HistoryError", "Sampler", "read", "seal", "stamp"]
