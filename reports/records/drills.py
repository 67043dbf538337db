"""Records of drills: the state that a replay begins with, the kill switch, and reverse stress."""

from reports.records.base import Amount, Count, Record


class StartState(Record, frozen=True, kw_only=True):
    """One item of the state that a replay was to begin with, and what was reached; None: it could not be read."""

    phase: str
    item: str
    wanted: float
    got: float | None


class StartAccount(Record, frozen=True, kw_only=True):
    """The account when its starting state had been taken, currency units: the ``cash`` that it began with, its
    ``equity``, and the ``maintenance`` margin that its positions need.
    """

    phase: str
    cash: float
    equity: float
    maintenance: Amount


class KillSwitch(Record, frozen=True, kw_only=True):
    """The kill switch was thrown at ``ordered_ns`` (CLOCK_MONOTONIC) and watched for ``watched_s``.

    ``open_orders``, ``positions`` and ``exposure`` (currency units, sum of the absolute values at the marks) are of
    what the strategies had just before; ``orders_gone_ns`` and ``flat_ns``: when the venue worked none of the orders
    of then and when they held nothing, None: not while it was watched.  ``residual``: their exposure at its end.
    ``request``: the id of the request that threw it, which arrived at its engine at ``arrived_ns`` (None: no message
    tells) and was answered at ``answered_ns``.
    """

    phase: str
    ordered_ns: Count
    watched_s: Amount
    open_orders: Count
    positions: Count
    exposure: Amount
    orders_gone_ns: Count | None = None
    flat_ns: Count | None = None
    residual: Amount
    request: str = ""
    arrived_ns: Count | None = None
    answered_ns: Count | None = None


class ReverseStep(Record, frozen=True, kw_only=True):
    """One fall of a reverse stress, as the risk engine computed it: the loss, and whether that reaches its limit."""

    phase: str
    number: Count
    fall: float
    loss: float
    breaches: bool


class ReverseStress(Record, frozen=True, kw_only=True):
    """What a reverse stress searched: ``exposure`` is the net value held, ``pnl`` the result so far, both of the risk
    engine and in currency units; ``most``: the largest fall that was to be tried.
    """

    phase: str
    exposure: float
    pnl: float
    loss_limit: Amount
    resolution: Amount
    most: Amount
