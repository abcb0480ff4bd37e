"""What a change of policy is: its leaves, which of them loosen a rule, and what is left without these.

The table `LOOSENS` says of every governed field in which direction it loosens. A field that is not in it
loosens by any change: what nobody has thought about needs a second person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str, ...]
Loosens = Callable[[Any, Any], bool]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""The value of a leaf that is not there."""

EVER: Final = "9999-12-31"


def _present(before: Any, after: Any) -> bool:
    return before is not ABSENT and after is not ABSENT


def less(before: Any, after: Any) -> bool:
    """A smaller number is looser."""
    return _present(before, after) and bool(after < before)


def more(before: Any, after: Any) -> bool:
    """A larger number is looser."""
    return _present(before, after) and bool(after > before)


def added(before: Any, after: Any) -> bool:
    """One more is looser."""
    return before is ABSENT and after is not ABSENT


def longer(before: Any, after: Any) -> bool:
    """A grant is looser when it is new, or ends on a later day, or no more."""
    return after is not ABSENT and (before is ABSENT or (after or EVER) > (before or EVER))


def replaced(before: Any, after: Any) -> bool:
    """Another value in the place of one that was there: a new one alone reaches nobody."""
    return _present(before, after)


def declared(before: Any, after: Any) -> bool:
    """A version that is said, where the content was hashed."""
    return before is None and after is not None and after is not ABSENT


def any_change(before: Any, after: Any) -> bool:  # noqa: ARG001
    """Whatever it becomes."""
    return True


def never(before: Any, after: Any) -> bool:  # noqa: ARG001
    """Not a rule that protects anything."""
    return False


def towards(*order: Any) -> Loosens:
    """Of a few words, a later one is looser."""

    def loosens(before: Any, after: Any) -> bool:
        if not _present(before, after) or before not in order or after not in order:
            return True
        return order.index(after) > order.index(before)

    return loosens


LOOSENS: Mapping[Path, Loosens] = {
    # A project
    ("policy", "name"): never,
    ("policy", "approvals"): less,
    ("policy", "approvals_from_different_organisations"): towards(True, False),  # noqa: FBT003
    ("policy", "approve"): towards("capsule", "code"),
    ("policy", "signatures"): towards("required", "optional"),
    ("policy", "votes"): less,
    ("policy", "sandbox"): towards("required", "preferred"),
    ("policy", "file_types", "*"): added,
    ("policy", "max_file_size"): more,
    ("policy", "thresholds", "small_cell"): less,
    ("policy", "thresholds", "zero_cells"): towards("fail", "review", "allow"),
    # The n largest must stay below k % of a cell: fewer of them, or a larger share, is looser.
    ("policy", "thresholds", "dominance_n"): less,
    ("policy", "thresholds", "dominance_k"): more,
    ("policy", "thresholds", "p_ratio"): less,
    ("policy", "thresholds", "residual_dof"): less,
    ("policy", "thresholds", "protection"): less,
    ("policy", "thresholds", "rows_per_parameter"): less,
    ("policy", "checks", "on_fail"): towards("block", "justify"),
    ("policy", "checks", "max_rows"): more,
    ("policy", "checks", "max_columns"): more,
    # A check that runs out of either has failed: they bound the node's work, not what leaves it.
    ("policy", "checks", "seconds"): never,
    ("policy", "checks", "memory"): never,
    # An analyst reads the logs of own runs, and these may hold patient data.
    ("members", "data_analyst", "*"): added,
    ("members", "output_checker", "*"): added,
    ("members", "information_asset_owner", "*"): added,
    # Takes released packages away.
    ("members", "coordinator", "*"): added,
    ("data_grants", "*"): longer,
    ("code", "repo"): any_change,
    ("code", "branch"): any_change,
    # The node
    ("roles", "operator", "*"): added,
    ("roles", "auditor", "*"): never,
    ("groups", "*", "roles", "operator"): added,
    ("groups", "*", "roles", "auditor"): never,
    ("groups", "*", "projects", "*", "*"): added,
    # People who are moved between organisations could make one look like two.
    ("organisations", "*"): any_change,
    ("data_sources", "*", "path"): replaced,
    ("data_sources", "*", "format"): replaced,
    ("data_sources", "*", "version"): declared,
}


@dataclass(frozen=True)
class Change:
    """One leaf that differs. For an element of a list, True stands for "is in it"."""

    path: Path
    before: Any
    after: Any

    @property
    def loosens(self) -> bool:
        """Whether this alone needs a second person."""
        return rule_of(self.path)(self.before, self.after)

    def as_json(self) -> dict[str, Any]:
        """For the audit log, the API and the command line; what is absent is null."""
        return {
            "field": ".".join(self.path),
            "before": None if self.before is ABSENT else self.before,
            "after": None if self.after is ABSENT else self.after,
            "loosens": self.loosens,
        }


def rule_of(path: Path) -> Loosens:
    """The row of the table for a leaf; what has none loosens by any change."""
    for pattern, rule in LOOSENS.items():
        if len(pattern) == len(path) and all(
            part in {"*", name} for part, name in zip(pattern, path, strict=True)
        ):
            return rule
    return any_change


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The leaves in which two contents differ, in the order of their names."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        Change(path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in sorted(old.keys() | new.keys())
        if old.get(path, ABSENT) != new.get(path, ABSENT)
    )


def without_loosening(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`after`, with each leaf that loosens a rule as it was before: what holds without a second person."""
    content: dict[str, Any] = dict(after)
    for change in changes(before, after):
        if change.loosens:
            content = _with(content, change.path, change.before)
    return content


def _leaves(content: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(content, list | tuple):
        for item in content:
            yield (*path, str(item)), True
    else:
        yield path, content


def _with(content: Any, path: Path, value: Any) -> Any:
    """The content with one leaf set to `value`, or taken out when that is ABSENT."""
    name, *rest = path
    if isinstance(content, list | tuple):
        others = [item for item in content if item != name]
        return others if value is ABSENT else sorted([*others, name])
    if not rest and value is ABSENT:
        return {key: inner for key, inner in content.items() if key != name}
    inner = value if not rest else _with(content.get(name, {}), tuple(rest), value)
    return {**content, name: inner}
