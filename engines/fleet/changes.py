"""What changed between two sets of manifests, as a value: pure, and light enough for every command."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from engines.fleet.policy import Rules

if TYPE_CHECKING:
    from engines.wire.manifest import Manifest  # which imports what only processes need

LIVE = frozenset({"title", "critical", "restart", "boot_s", "boot_budget_s", "after", "load", "stop", "health"})


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a manifest, or one rule, before and after.  Values of an environment are not shown."""

    field: str
    before: str
    after: str


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.reload/1` document.  `restarts`: running engines that must be restarted, in rolling order."""

    schema: str = "nautilus.reload/1"
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: dict[str, tuple[Change, ...]] = {}
    rules: tuple[Change, ...] = ()
    restarts: tuple[str, ...] = ()
    seen: int = 0  # the supervisor's last event before

    @property
    def empty(self) -> bool:
        """Nothing has changed."""
        return not (self.added or self.removed or self.changed or self.rules)


def diff(old: "Sequence[Manifest]", new: "Sequence[Manifest]", rules: tuple[Rules, Rules] | None = None) -> Diff:
    """What changes from `old` to `new`; `rules` before and after."""
    from engines.wire.manifest import ranks

    before, after = {m.name: m for m in old}, {m.name: m for m in new}
    changed = {name: found for name in before if name in after and (found := _changes(before[name], after[name]))}
    again = [name for name in changed if _must_restart(before[name], after[name])]
    order = [m.name for rank in ranks(new) for m in rank]
    return Diff(
        added=tuple(name for name in order if name not in before),
        removed=tuple(m.name for m in old if m.name not in after),
        changed=changed,
        rules=_struct_changes(*rules) if rules is not None else (),
        restarts=tuple(name for name in order if name in again),
    )


def _changes(old: "Manifest", new: "Manifest") -> tuple[Change, ...]:
    found = [change for change in _struct_changes(old, new) if change.field != "env"]
    names = sorted(key for key in old.env.keys() | new.env.keys() if old.env.get(key) != new.env.get(key))
    if names:
        found.append(Change(field="env", before=_held(names, old.env), after=_held(names, new.env)))
    return tuple(found)


def _held(names: Sequence[str], env: Mapping[str, str]) -> str:
    return ", ".join(f"{name}=..." if name in env else f"{name} unset" for name in names)


def _struct_changes(old: msgspec.Struct, new: msgspec.Struct) -> tuple[Change, ...]:
    pairs = [(key, getattr(old, key), getattr(new, key)) for key in old.__struct_fields__]
    return tuple(Change(field=key, before=_text(a), after=_text(b)) for key, a, b in pairs if a != b)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _must_restart(old: "Manifest", new: "Manifest") -> bool:
    fields = [key for key in old.__struct_fields__ if getattr(old, key) != getattr(new, key)]
    limits = old.limits.files != new.limits.files
    return limits or any(key not in LIVE and key != "limits" for key in fields)
