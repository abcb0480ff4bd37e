"""Dagster's GraphQL interface, as both sides offer it: how the benchmark submits a run.

A connection per request, as from people and programs far apart; an answer that is no success is an error
with the server's words.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 180.0
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_LOCATIONS = """
query Locations {
  workspaceOrError {
    __typename
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError {
          __typename
          ... on RepositoryLocation { repositories { name } }
          ... on PythonError { message }
        }
      }
    }
    ... on PythonError { message }
  }
}
"""


class GraphQLError(Exception):
    """The server did not do what was asked, in its own words."""


class LocationError(GraphQLError):
    """A code location has failed to load: waiting does not help."""


class GraphQLClient:
    """Speaks to one server at `url` (the address of the web server, without `/graphql`)."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self.address = (str(parts.hostname), parts.port or 80)
        self._headers = {"Content-Type": "application/json", **headers}

    def launch(
        self, location: str, job: str, run_config: Mapping[str, Any], tags: Mapping[str, str] | None = None
    ) -> str:
        """Submit a run of `job`; gives its id."""
        selector = {
            "repositoryLocationName": location,
            "repositoryName": "__repository__",
            "jobName": job,
        }
        params: dict[str, Any] = {"selector": selector, "runConfigData": run_config}
        if tags:
            params["executionMetadata"] = {"tags": [{"key": name, "value": tags[name]} for name in tags]}
        answer = self.ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise GraphQLError(json.dumps(answer)[:2000])
        return str(answer["run"]["runId"])

    def loaded(self, names: set[str]) -> bool:
        """Whether the code locations are there; raises when one has failed to load."""
        answer = self.ask(_LOCATIONS, {})["workspaceOrError"]
        entries = {entry["name"]: entry for entry in answer.get("locationEntries", [])}
        for name in names & entries.keys():
            state = entries[name]["locationOrLoadError"] or {}
            if state.get("__typename") == "PythonError" and "is starting" not in state["message"]:
                raise LocationError(f"{name} does not load: {state['message']}")
        return all(
            name in entries
            and entries[name]["loadStatus"] == "LOADED"
            and (entries[name]["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation"
            for name in names
        )

    def wait_until_loaded(self, names: set[str], seconds: float) -> None:
        """Wait for the server and for its code locations."""
        deadline = time.monotonic() + seconds
        last = "no answer"
        while time.monotonic() < deadline:
            try:
                if self.loaded(names):
                    return
                last = "not loaded yet"
            except LocationError:
                raise
            except (OSError, GraphQLError) as error:
                last = str(error)  # it is starting
            time.sleep(0.2)
        raise GraphQLError(f"{', '.join(sorted(names))} did not load within {seconds:.0f} s: {last}")

    def ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run a query; gives its `data`."""
        body = json.dumps({"query": query, "variables": variables})
        connection = http.client.HTTPConnection(*self.address, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", "/graphql", body, self._headers)
            response = connection.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise GraphQLError(f"HTTP {response.status}: {text[:500]!r}") from error
        if response.status != http.client.OK or answer.get("errors") or "data" not in answer:
            raise GraphQLError(f"HTTP {response.status}: {json.dumps(answer)[:2000]}")
        data: dict[str, Any] = answer["data"]
        return data
