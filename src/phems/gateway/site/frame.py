"""What every page has around it: where one is, where one may go, what was just done, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phems.domain.permissions import Verb
from phems.gateway.site.ask import ACT_DONE, Ask
from phems.gateway.site.done import DONE

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation: shown to who may do one of `verbs` somewhere (none: to everyone)."""

    path: str
    title: str
    verbs: tuple[Verb, ...] = ()


PLACES: Sequence[Place] = (
    Place("/", "My work"),
    Place("/projects", "Projects", ("project.read",)),
    Place("/policies", "Policies", ("policy.list",)),
    Place("/overview", "Dagster", ("project.read",)),
    Place("/audit", "Audit log", ("audit.read",)),
    Place("/health", "Node health", ("node.operate",)),
    Place("/people", "People", ("user.manage",)),
    Place("/permissions", "Who may do what"),
)


def framed(ask: Ask, values: Mapping[str, Any]) -> dict[str, Any]:
    """A page's values, with those of the frame."""
    membership = ask.settings.membership
    return {
        "node": ask.settings.title,
        "person": ask.person.name,
        "places": [
            (place, _is_here(place, ask.path))
            for place in PLACES
            if not place.verbs or membership.may_somewhere(ask.person.name, *place.verbs)
        ],
        "csrf": ask.csrf(),
        "done": DONE.get(ask.query(ACT_DONE)),
        "error": ask.error,
        "typed": ask.fields,
        "ask": ask,
        "trail": (),
        **values,
    }


def _is_here(place: Place, path: str) -> bool:
    return path == place.path or (place.path != "/" and path.startswith(f"{place.path}/"))
