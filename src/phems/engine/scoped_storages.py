"""Dagster's three storages as one person may use them: each call by its rule, and nothing without one.

A scoped storage is one of Dagster's own abstract classes, whose methods go through `people_rules` to the
node's storage. What Dagster builds in its base classes upon those methods is thereby held to the same rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phems.engine._dagster import EventLogStorage, RunStorage, ScheduleStorage
from phems.engine.people_confined import PersonScope
from phems.engine.people_rules import PEOPLE_RULES
from phems.engine.storage_rules import Rule, bound, refuse
from phems.errors import RefusedError

# Of the base classes: who made the storage, and the instance it is part of. Everything else is asked.
_OWN_PROPERTIES = frozenset({"has_instance", "_instance"})


def _answer(rule: Rule, scope: PersonScope, storage: Any, method: str, args: Any, kwargs: Any) -> Any:
    function = getattr(storage, method)
    if scope.sees_all:
        if rule.confine is refuse:
            rule.confine(scope, kwargs)
        return function(*args, **kwargs)
    arguments = bound(storage, method, args, kwargs)
    try:
        rule.confine(scope, arguments)
    except RefusedError:
        if rule.absent is None:
            raise
        return rule.absent(arguments)
    found = function(**arguments)
    return rule.keep(scope, found) if rule.keep else found


def _asked(method: str, rule: Rule) -> Callable[..., Any]:
    def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _answer(rule, self.scope, self.storage, method, args, kwargs)

    ask.__name__ = method
    return ask


def _forwarded(name: str) -> property:
    return property(lambda self: getattr(self.storage, name))


def _made(self: Any, storage: Any, scope: PersonScope) -> None:
    self.storage = storage
    self.scope = scope


def _scoped_class(name: str, base: type, kind: str) -> type:
    members: dict[str, Any] = {"__doc__": f"{base.__name__} as a person may use it.", "__init__": _made}
    rules = PEOPLE_RULES[kind]
    for attribute in dir(base):
        is_property = isinstance(getattr(base, attribute), property)
        if is_property and attribute not in _OWN_PROPERTIES:
            members[attribute] = _forwarded(attribute)
        elif not is_property and attribute in rules:
            members[attribute] = _asked(attribute, rules[attribute])
    return type(name, (base,), members)


ScopedRunStorage = _scoped_class("ScopedRunStorage", RunStorage, "runs")
ScopedEventLogStorage = _scoped_class("ScopedEventLogStorage", EventLogStorage, "events")
ScopedScheduleStorage = _scoped_class("ScopedScheduleStorage", ScheduleStorage, "schedules")
