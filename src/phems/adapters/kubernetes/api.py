"""The API server of a cluster, as far as steps need it: Jobs, Secrets and pods of namespaces.

The official client finds the cluster (the service account of a pod, or a kubeconfig), its certificates and
its tokens, and renews these. Objects are plain JSON, as the manifests that go out are: what a later version
of the API adds is no error here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from urllib3.exceptions import HTTPError

from phems.adapters.kubernetes.answers import ClusterAwayError, error_of
from phems.errors import InputError, UnavailableError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 20.0
# A connection that is dead without a word is noticed after this.
WATCH_SECONDS = 60
READ_BYTES = 1 << 16
PATHS: Mapping[str, str] = {
    "jobs": "/apis/batch/v1/namespaces/{}/jobs",
    "pods": "/api/v1/namespaces/{}/pods",
    "secrets": "/api/v1/namespaces/{}/secrets",
}
Object = dict[str, Any]


class ClusterApi:
    """Asks the API server; each call is one request, and says by its error whether another may help.

    `kubeconfig` None: the service account of the pod that this process runs in.
    """

    def __init__(self, kubeconfig: Path | None) -> None:
        client, config = _official_client()
        self._configuration = client.Configuration()
        try:
            if kubeconfig is None:
                config.load_incluster_config(self._configuration)
            else:
                config.load_kube_config(str(kubeconfig), client_configuration=self._configuration)
        except config.ConfigException as error:
            raise InputError(
                "The cluster cannot be found.",
                why=str(error),
                remedy="Run the worker in a pod with a service account, or name a kubeconfig in KUBECONFIG.",
            ) from error
        self._configuration.retries = False  # who asks decides on that
        self._pool = client.ApiClient(self._configuration).rest_client.pool_manager

    def create(self, kind: str, namespace: str, manifest: Mapping[str, Any]) -> Object:
        """Create an object. Not idempotent: `NameTakenError` when there is one of its name."""
        return self._ask("POST", PATHS[kind].format(namespace), body=manifest)

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object; `ObjectGoneError` when there is none."""
        return self._ask("GET", f"{PATHS[kind].format(namespace)}/{quote(name)}")

    def delete(self, kind: str, namespace: str, name: str, *, propagation: str) -> None:
        """Delete an object with what it owns; `ObjectGoneError` when there is none."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        self._ask("DELETE", f"{PATHS[kind].format(namespace)}/{quote(name)}", body=options)

    def list(self, kind: str, namespace: str, selector: str) -> tuple[list[Object], str]:
        """The objects with these labels, and from where to watch them on."""
        found = self._ask("GET", PATHS[kind].format(namespace), {"labelSelector": selector})
        try:
            return found.get("items") or [], str(found["metadata"]["resourceVersion"])
        except (KeyError, TypeError) as error:
            raise ClusterAwayError(f"The answer to a list of {kind} is not one.", why=repr(error)) from error

    @contextmanager
    def watch(self, kind: str, namespace: str, selector: str, version: str) -> Iterator[Watch]:
        """What happens to these objects from now on, until the server ends it."""
        query = {
            "labelSelector": selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        response = self._send("GET", PATHS[kind].format(namespace), query, streamed=True)
        try:
            yield Watch(response)
        finally:
            response.close()
            response.release_conn()

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Object:
        response = self._send(method, path, query, body)
        try:
            answer = json.loads(response.data)
        except ValueError as error:
            raise ClusterAwayError(f"{method} {path}: the answer is not JSON.", why=str(error)) from error
        if not isinstance(answer, dict):
            raise ClusterAwayError(f"{method} {path}: the answer is not an object.")
        return answer

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        *,
        streamed: bool = False,
    ) -> Any:
        from urllib3 import Timeout

        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "phems"}
        if token := self._configuration.get_api_key_with_prefix("authorization"):
            headers["Authorization"] = token
        address = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        read = WATCH_SECONDS + ANSWER_SECONDS if streamed else ANSWER_SECONDS
        try:
            response = self._pool.request(
                method,
                address,
                body=json.dumps(body).encode() if body is not None else None,
                headers=headers,
                timeout=Timeout(connect=CONNECT_SECONDS, read=read),
                preload_content=not streamed,
            )
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise error_of(method, path, response.status, response.headers, response.data)
        except HTTPError as error:
            raise ClusterAwayError(f"{method} {path} was not answered.", why=type(error).__name__) from error
        return response


def _official_client() -> tuple[Any, Any]:
    # Its import takes seconds, and only a worker on a cluster needs it.
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise UnavailableError(
            "This installation has no client of Kubernetes.",
            why="node.yaml has profile: kubernetes, and the package kubernetes is not there.",
            remedy="pip install 'phems-node[node,kubernetes]'",
        ) from error
    return client, config


class Watch:
    """The lines of one watch: (type, object), one after the other."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def events(self) -> Iterator[tuple[str, Object]]:
        """Until the server ends it; `ClusterAwayError` when the connection does."""
        rest = b""
        try:
            while part := self._response.read1(READ_BYTES):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    if line.strip():
                        event = json.loads(line)
                        yield event["type"], event["object"]
        except (HTTPError, OSError, ValueError, KeyError, TypeError) as error:
            raise ClusterAwayError("A watch was cut.", why=type(error).__name__) from error

    def cut(self) -> None:
        """End it, from another thread."""
        self._response.shutdown()
