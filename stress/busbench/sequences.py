"""What arrived of a numbered stream 1, 2, 3 …: once, again, late, never.  Exact, whatever the order.

`deliveries = unique + duplicates`, and against the publisher's own count `published = delivered + lost`.
"""

import msgspec
import numpy as np
import numpy.typing as npt


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides of a channel.  `reordered`, a part of `delivered`: came after a later one.

    `invented`: numbers that were never published; they are in no other count.
    """

    published: int
    delivered: int
    lost: int
    duplicates: int
    reordered: int
    invented: int = 0

    @property
    def whole(self) -> bool:
        """Everything once, in order, and nothing else."""
        return self.published == self.delivered and not (self.duplicates or self.reordered or self.invented)


class Sequence(msgspec.Struct):
    """The numbers seen so far.  Memory grows with the gaps only."""

    top: int = 0
    gaps: set[int] = set()
    duplicates: int = 0
    reordered: int = 0

    def see(self, number: int) -> None:
        """One arrival."""
        if number > self.top:
            self.gaps.update(range(self.top + 1, number))
            self.top = number
        elif number in self.gaps:
            self.gaps.remove(number)
            self.reordered += 1
        else:
            self.duplicates += 1

    def see_all(self, numbers: npt.NDArray[np.int64]) -> None:
        """Arrivals in their order; at once where they go on without a gap."""
        if numbers.size and numbers[0] == self.top + 1 and (np.diff(numbers) == 1).all():
            self.top = int(numbers[-1])
            return
        for number in numbers.tolist():
            self.see(number)

    def against(self, published: int) -> Account:
        """The account against what the publisher counted."""
        invented = max(0, self.top - published - sum(gap > published for gap in self.gaps))
        delivered = self.top - len(self.gaps) - invented
        return Account(
            published=published,
            delivered=delivered,
            lost=published - delivered,
            duplicates=self.duplicates,
            reordered=self.reordered,
            invented=invented,
        )


def total(accounts: list[Account]) -> Account:
    """The sum of several channels."""
    return Account(**{name: sum(getattr(each, name) for each in accounts) for name in Account.__struct_fields__})
