"""What is open of MLflow's HTTP interface, and to whom: one table, read by the gateway and by the wall.

A route that is not here is open to nobody: MLflow's own gateway to language models, its webhooks, jobs
and workspaces, and whatever a later version adds. People need the verb; steps of the project reach what is
marked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from phems.domain.permissions import Verb
from phems.errors import InputError, RefusedError


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask for a route: people with a verb, and steps when it is marked."""

    verb: Verb
    steps: bool = True


_READ = Access("mlflow.read")
_WRITE = Access("mlflow.write")
_PAGES = Access("mlflow.read", steps=False)
# What is deleted is deleted by people: a step that runs again would take away what another one made.
_TAKE_AWAY = Access("mlflow.write", steps=False)

# {x} is one part of a path, {x*} all that is left. Each stands below /api/2.0 and /api/3.0, and again below
# /ajax-api, which the pages ask.
_API: Mapping[str, Mapping[str, Access]] = {
    "mlflow/experiments/create": {"POST": _WRITE},
    "mlflow/experiments/get": {"GET": _READ},
    "mlflow/experiments/get-by-name": {"GET": _READ},
    "mlflow/experiments/search": {"GET": _READ, "POST": _READ},
    "mlflow/experiments/search-datasets": {"POST": _READ},
    "mlflow/experiments/set-experiment-tag": {"POST": _WRITE},
    "mlflow/experiments/update": {"POST": _TAKE_AWAY},
    "mlflow/experiments/delete": {"POST": _TAKE_AWAY},
    "mlflow/experiments/restore": {"POST": _TAKE_AWAY},
    "mlflow/experiments/delete-experiment-tag": {"POST": _TAKE_AWAY},
    "mlflow/runs/create": {"POST": _WRITE},
    "mlflow/runs/get": {"GET": _READ},
    "mlflow/runs/search": {"POST": _READ},
    "mlflow/runs/update": {"POST": _WRITE},
    "mlflow/runs/set-tag": {"POST": _WRITE},
    "mlflow/runs/delete-tag": {"POST": _WRITE},
    "mlflow/runs/log-batch": {"POST": _WRITE},
    "mlflow/runs/log-inputs": {"POST": _WRITE},
    "mlflow/runs/log-metric": {"POST": _WRITE},
    "mlflow/runs/log-model": {"POST": _WRITE},
    "mlflow/runs/log-parameter": {"POST": _WRITE},
    "mlflow/runs/outputs": {"POST": _WRITE},
    "mlflow/runs/delete": {"POST": _TAKE_AWAY},
    "mlflow/runs/restore": {"POST": _TAKE_AWAY},
    "mlflow/metrics/get-history": {"GET": _READ},
    "mlflow/metrics/get-history-bulk": {"GET": _PAGES},
    "mlflow/metrics/get-history-bulk-interval": {"GET": _PAGES},
    "mlflow/artifacts/list": {"GET": _READ},
    "mlflow/logged-models": {"POST": _WRITE},
    "mlflow/logged-models/search": {"POST": _READ},
    "mlflow/logged-models/{model}": {"GET": _READ, "PATCH": _WRITE, "DELETE": _TAKE_AWAY},
    "mlflow/logged-models/{model}/tags": {"PATCH": _WRITE},
    "mlflow/logged-models/{model}/params": {"POST": _WRITE},
    "mlflow/logged-models/{model}/artifacts/directories": {"GET": _READ},
    "mlflow/logged-models/{model}/artifacts/files": {"GET": _PAGES},
    "mlflow/registered-models/create": {"POST": _WRITE},
    "mlflow/registered-models/get": {"GET": _READ},
    "mlflow/registered-models/search": {"GET": _READ},
    "mlflow/registered-models/get-latest-versions": {"GET": _READ, "POST": _READ},
    "mlflow/registered-models/set-tag": {"POST": _WRITE},
    "mlflow/registered-models/alias": {"GET": _READ, "POST": _WRITE, "DELETE": _TAKE_AWAY},
    "mlflow/registered-models/update": {"PATCH": _WRITE},
    "mlflow/registered-models/delete": {"DELETE": _TAKE_AWAY},
    "mlflow/registered-models/delete-tag": {"DELETE": _TAKE_AWAY},
    "mlflow/model-versions/create": {"POST": _WRITE},
    "mlflow/model-versions/get": {"GET": _READ},
    "mlflow/model-versions/get-download-uri": {"GET": _READ},
    "mlflow/model-versions/search": {"GET": _READ},
    "mlflow/model-versions/set-tag": {"POST": _WRITE},
    "mlflow/model-versions/update": {"PATCH": _WRITE},
    "mlflow/model-versions/delete": {"DELETE": _TAKE_AWAY},
    "mlflow/model-versions/delete-tag": {"DELETE": _TAKE_AWAY},
    "mlflow/traces": {"GET": _READ, "POST": _WRITE},
    "mlflow/traces/search": {"POST": _READ},
    "mlflow/traces/{trace}": {"GET": _READ, "PATCH": _WRITE},
    "mlflow/traces/{trace}/info": {"GET": _READ},
    "mlflow/traces/{trace}/tags": {"PATCH": _WRITE},
    "mlflow/datasets/search": {"GET": _READ, "POST": _READ},
    "mlflow/scorers/list": {"GET": _PAGES},
    "mlflow/server-info": {"GET": _READ},
    "mlflow-artifacts/artifacts": {"GET": _READ},
    "mlflow-artifacts/artifacts/{path*}": {"GET": _READ, "PUT": _WRITE},
}
_OTHER: Mapping[str, Mapping[str, Access]] = {
    "/": {"GET": _PAGES},
    "/health": {"GET": _READ},
    "/version": {"GET": _READ},
    "/graphql": {"POST": _PAGES},
    "/ajax-api/2.0/mlflow/graphql": {"POST": _PAGES},
    "/get-artifact": {"GET": _PAGES},
    "/model-versions/get-artifact": {"GET": _PAGES},
    "/static-files/{path*}": {"GET": _PAGES},
}
ROUTES: Mapping[str, Mapping[str, Access]] = {
    **_OTHER,
    **{
        f"/{api}/{version}/{path}": methods
        for api in ("api", "ajax-api")
        for version in ("2.0", "3.0")
        for path, methods in _API.items()
    },
}
FILES = ("/get-artifact", "/model-versions/get-artifact", "/artifacts/files", "/mlflow-artifacts/artifacts/")
"""Where answers are files that project code wrote."""


def access_to(method: str, target: str) -> Access:
    """Who may ask for a route; `target` is below the project's prefix, as it was sent, with its query.

    Raises `RefusedError` for what is open to nobody, `InputError` for a path that climbs.
    """
    path, _, query = target.partition("?")
    _check_path(path)
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"path", "artifact_file_path", "artifact_directory_path"}:
            _check_path("/" + value)
    asked = "GET" if method == "HEAD" else method
    access = _methods_of(path).get(asked)
    if access is None:
        raise RefusedError(
            "This part of MLflow is closed on this node.",
            why="it is not among the routes that experiments, runs and models need.",
        )
    return access


def is_file(target: str) -> bool:
    """Whether the answer would be a file that project code wrote: a browser must not run it."""
    path = target.partition("?")[0]
    return any(part in path for part in FILES)


def _check_path(path: str) -> None:
    # Unquoted as often as anything behind this door might do it.
    for text in (path, once := unquote(path), unquote(once)):
        if "\\" in text or "\0" in text or any(part in {"..", "."} for part in text.split("/")):
            raise InputError(
                "The path leads out of where it begins.", why="its parts are plain names.", remedy="Name it."
            )


def _methods_of(path: str) -> Mapping[str, Access]:
    exact = ROUTES.get(path)
    if exact is not None:
        return exact
    return next((methods for pattern, methods in _PATTERNS if pattern.fullmatch(path)), {})


def _pattern(path: str) -> re.Pattern[str]:
    quoted = re.escape(path)
    quoted = re.sub(r"\\\{\w+\\\*\\\}", "[^/].*", quoted)
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", quoted))


_PATTERNS = [(_pattern(path), methods) for path, methods in ROUTES.items() if "{" in path]
