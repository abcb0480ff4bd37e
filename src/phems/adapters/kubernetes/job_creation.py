"""Creating the Job of an attempt and its Secret so that there is one of each, whatever answers are lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from phems.adapters.kubernetes.answers import ClusterAwayError, NameTakenError, ObjectGoneError
from phems.adapters.kubernetes.api import ClusterApi
from phems.adapters.kubernetes.list_watch import pause_after
from phems.errors import ConflictError, UnavailableError
from phems.render.step_job import MANIFEST_ANNOTATION

Manifest = Mapping[str, Any]
T = TypeVar("T")


class JobCreation:
    """Creates in one namespace; asks again until the server has failed to answer `misses` times in a row."""

    def __init__(self, api: ClusterApi, namespace: str, misses: int, closing: threading.Event) -> None:
        self._api = api
        self._namespace = namespace
        self._misses = misses
        self._closing = closing

    def job(self, manifest: Manifest) -> str:
        """Have the Job; gives its uid. One that is there is taken over when it is the same."""
        return self._patiently(lambda: self._job(manifest))

    def secret(self, manifest: Manifest) -> None:
        """Have the Secret, with this content."""
        self._patiently(lambda: self._secret(manifest))

    def delete_job(self, name: str, *, wait_for_pods: bool) -> None:
        """Delete a Job, its Secret and its pods; one that is gone is no error. Asked once."""
        try:
            self._api.delete(
                "jobs", self._namespace, name, propagation="Foreground" if wait_for_pods else "Background"
            )
        except ObjectGoneError:
            return

    def _job(self, manifest: Manifest) -> str:
        try:
            return str(self._api.create("jobs", self._namespace, manifest)["metadata"]["uid"])
        except NameTakenError:
            found = self._api.get("jobs", self._namespace, manifest["metadata"]["name"])["metadata"]
        name = manifest["metadata"]["name"]
        mark = manifest["metadata"]["annotations"][MANIFEST_ANNOTATION]
        if found.get("annotations", {}).get(MANIFEST_ANNOTATION) != mark:
            raise ConflictError(
                f"There is another Job called {name}.",
                why="It was not made for this attempt from node.yaml as it is now.",
                remedy=f"See who made it: kubectl -n {self._namespace} get job {name}",
            )
        if found.get("deletionTimestamp"):
            raise ConflictError("The Job of this attempt is being deleted.")
        return str(found["uid"])

    def _secret(self, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        try:
            self._api.create("secrets", self._namespace, manifest)
        except NameTakenError:
            if self._api.get("secrets", self._namespace, name).get("data") == manifest["data"]:
                return
            # Of a worker before this one, whose capability is worth nothing any more.
            self._api.delete("secrets", self._namespace, name, propagation="Background")
            self._api.create("secrets", self._namespace, manifest)

    def _patiently(self, act: Callable[[], T]) -> T:
        misses = 0
        while True:
            try:
                return act()
            except ObjectGoneError:
                misses += 1  # it went between two calls: look again
                pause = pause_after(misses, None)
            except ClusterAwayError as error:
                misses += 1
                if misses >= self._misses:
                    raise
                pause = pause_after(misses, error)
            if self._closing.wait(pause):
                raise UnavailableError("This worker is stopping.")
