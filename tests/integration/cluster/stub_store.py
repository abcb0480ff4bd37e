"""The objects of a small cluster, with versions, watches and owners as an API server has them."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str, str]
KEPT_EVENTS = 200


class AnswerError(Exception):
    """An answer that is no object: a Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


@dataclass
class Store:
    """Objects by kind, namespace and name. `on_event(type, kind, object)` hears of each change, in order."""

    on_event: list[Callable[[str, str, Object], None]] = field(default_factory=list)
    objects: dict[Key, Object] = field(default_factory=dict)
    _events: list[tuple[int, str, str, Object]] = field(default_factory=list)
    _version: int = 0
    changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))

    def create(self, kind: str, namespace: str, given: Object) -> Object:
        """A new object; 409 when there is one of its name."""
        found = copy.deepcopy(given)
        meta = found.setdefault("metadata", {})
        if "name" not in meta:
            meta["name"] = f"{meta['generateName'][:58]}{uuid.uuid4().hex[:5]}"
        with self.changed:
            if (kind, namespace, meta["name"]) in self.objects:
                raise AnswerError(409, "AlreadyExists", f'{kind} "{meta["name"]}" already exists')
            meta |= {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": _now()}
            self.objects[kind, namespace, meta["name"]] = found
            return self._tell("ADDED", kind, found)

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """A copy of an object; 404 when there is none."""
        with self.changed:
            if (kind, namespace, name) not in self.objects:
                raise AnswerError(404, "NotFound", f'{kind} "{name}" not found')
            return copy.deepcopy(self.objects[kind, namespace, name])

    def change(self, kind: str, namespace: str, name: str, act: Callable[[Object], None]) -> Object | None:
        """Change an object that is there."""
        with self.changed:
            found = self.objects.get((kind, namespace, name))
            if found is None:
                return None
            act(found)
            return self._tell("MODIFIED", kind, found)

    def delete(self, kind: str, namespace: str, name: str, propagation: str = "Background") -> None:
        """Delete an object; pods are marked, and removed by who runs them; owners in the foreground wait."""
        with self.changed:
            found = self.get(kind, namespace, name)
            owned = [key for key, each in self.objects.items() if _owner(each) == found["metadata"]["uid"]]
            if kind == "pods" or (propagation == "Foreground" and owned):
                if "deletionTimestamp" not in found["metadata"]:
                    self.change(
                        kind, namespace, name, lambda each: each["metadata"].update(deletionTimestamp=_now())
                    )
            else:
                self.remove(kind, namespace, name)
            for other in owned:
                self.delete(*other)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Take an object out for good, and an owner that waited for it."""
        with self.changed:
            found = self.objects.pop((kind, namespace, name), None)
            if found is None:
                return
            self._tell("DELETED", kind, found)
            for key, owner in list(self.objects.items()):
                waits = "deletionTimestamp" in owner["metadata"] and key[0] != "pods"
                uid = owner["metadata"]["uid"]
                if waits and not any(_owner(each) == uid for each in self.objects.values()):
                    self.remove(*key)

    def list(self, kind: str, namespace: str, selector: str) -> tuple[list[Object], str]:
        """The objects with these labels, and the version that they are of."""
        with self.changed:
            found = [
                copy.deepcopy(each)
                for (of, where, _), each in self.objects.items()
                if (of, where) == (kind, namespace) and _selected(each, selector)
            ]
            return found, str(self._version)

    def watch(
        self, kind: str, namespace: str, selector: str, version: str, seconds: float
    ) -> Iterator[Object | None]:
        """Events after a version, and None now and then; 410 when it is older than what is kept."""
        seen, until = int(version), time.monotonic() + seconds
        while time.monotonic() < until:
            with self.changed:
                if self._events and seen < self._events[0][0] - 1:
                    raise AnswerError(410, "Expired", "too old resource version")
                fresh = [each for each in self._events if each[0] > seen]
                if not fresh:
                    self.changed.wait(0.5)
            yield None
            for number, what, of, found in fresh:
                seen = number
                at = (of, found["metadata"]["namespace"])
                if at == (kind, namespace) and _selected(found, selector):
                    yield {"type": what, "object": found}

    def _tell(self, what: str, kind: str, found: Object) -> Object:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        told = copy.deepcopy(found)
        self._events = [*self._events, (self._version, what, kind, told)][-KEPT_EVENTS:]
        self.changed.notify_all()
        for hear in self.on_event:
            hear(what, kind, told)
        return copy.deepcopy(told)


def _owner(found: Object) -> str:
    owners = found["metadata"].get("ownerReferences") or [{"uid": ""}]
    return str(owners[0]["uid"])


def _selected(found: Object, selector: str) -> bool:
    labels = found["metadata"].get("labels", {})
    pairs = (part.split("=", 1) for part in selector.split(",") if part)
    return all(labels.get(key) == value for key, value in pairs)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
