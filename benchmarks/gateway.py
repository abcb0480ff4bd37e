"""What the gateway costs: fifty people at once, on the node and on stock Dagster's web server.

Both run with ten thousand runs in the database, and are asked in turn for the same thing in the same words:
the list of runs, as Dagster's own page asks for it. On the node each person sees the runs of their project
alone. Then the node's own pages are asked for, with a thousand release requests in the database.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import quantiles

from benchmarks.configurations import Effort
from benchmarks.crowded import OPERATOR, PEOPLE, PROJECTS, Crowded, start_crowded_node, start_crowded_stock
from benchmarks.graphql import ANSWER_SECONDS
from benchmarks.side import SideError

RUNS_LIST = "list of runs in Dagster's page"
RUNS_LIST_ALL = "the same, for an operator, who sees all projects"
# The page of runs asks for so many.
_PAGE = 30
_QUERY = """
query RunsFeedRootQuery($limit: Int!, $cursor: String, $filter: RunsFilter, $view: RunsFeedView!) {
  runsFeedOrError(limit: $limit, cursor: $cursor, filter: $filter, view: $view) {
    __typename
    ... on RunsFeedConnection { cursor hasMore results { ...Entry } }
    ... on PythonError { message stack errorChain { isExplicitLink error { message stack } } }
  }
}
fragment Entry on RunsFeedEntry {
  __typename id runStatus creationTime startTime endTime tags { key value } jobName
  ... on Run {
    repositoryOrigin { id repositoryLocationName repositoryName }
    assetSelectionPreview: assetSelection(limit: 25) { ... on AssetKey { path } }
    assetSelectionCount
    assetCheckSelectionPreview: assetCheckSelection(limit: 25) { name assetKey { path } }
    assetCheckSelectionCount
    hasReExecutePermission hasTerminatePermission hasDeletePermission canTerminate
    mode status pipelineName pipelineSnapshotId
  }
  ... on PartitionBackfill {
    backfillStatus: status partitionSetName assetSelection { path }
    hasCancelPermission hasResumePermission isAssetBackfill numPartitions
  }
}
"""
_ASKED = json.dumps({"query": _QUERY, "variables": {"limit": _PAGE, "view": "ROOTS"}}).encode()
PAGES: Mapping[str, str] = {
    "home: what waits for me": "/",
    "a project": f"/projects/{PROJECTS[0]}",
    "the runs of a project": f"/projects/{PROJECTS[0]}/runs",
    "its release requests": f"/projects/{PROJECTS[0]}/releases",
}


@dataclass
class Answers:
    """How long one kind of question took, in seconds, on each side that was asked."""

    what: str
    node: list[float] = field(default_factory=list)
    stock: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """How many times longer the node takes than stock Dagster, by their medians."""
        return percentile(self.node, 50) / percentile(self.stock, 50) if self.node and self.stock else None


def percentile(samples: list[float], which: int) -> float:
    """The time within which so many of a hundred were answered."""
    return quantiles(samples, n=100, method="inclusive")[which - 1]


def measure_gateway(effort: Effort, tell: Callable[[str], None]) -> list[Answers]:
    """Start both sides, ask them in turn, end them."""
    tell("starting     PHEMS node and stock Dagster, each with 10 000 runs")
    node = start_crowded_node()
    try:
        stock = start_crowded_stock()
        try:
            return _ask_all(node, stock, effort, tell)
        finally:
            stock.side.close()
    finally:
        node.side.close()


def _ask_all(node: Crowded, stock: Crowded, effort: Effort, tell: Callable[[str], None]) -> list[Answers]:
    mine, everything = Answers(RUNS_LIST), Answers(RUNS_LIST_ALL)
    found = [mine, everything, *(Answers(f"page: {name}") for name in PAGES)]
    for side in (node, stock):
        _crowd(side, PEOPLE, 1, _ask_runs)
    for _ in range(effort.crowd_rounds):
        # In turn, so that whatever else the machine does meets both.
        mine.node += _crowd(node, PEOPLE, effort.crowd_asks, _ask_runs)
        mine.stock += (asked := _crowd(stock, PEOPLE, effort.crowd_asks, _ask_runs))
        everything.node += _crowd(node, [OPERATOR] * len(PEOPLE), effort.crowd_asks, _ask_runs)
        everything.stock += asked
    for answers in (mine, everything):
        tell(f"gateway      {said(answers)}")
    for answers, path in zip(found[2:], PAGES.values(), strict=True):
        _crowd(node, PEOPLE, 1, _page(path))
        for _ in range(effort.crowd_rounds):
            answers.node += _crowd(node, PEOPLE, effort.crowd_asks, _page(path))
        tell(f"gateway      {said(answers)}")
    return found


def said(answers: Answers) -> str:
    """One kind of question in a line."""
    line = (
        f"{answers.what}: p50 {percentile(answers.node, 50):.3f} s, p95 {percentile(answers.node, 95):.3f} s"
    )
    if answers.ratio is None:
        return line
    p50, p95 = (percentile(answers.stock, which) for which in (50, 95))
    return f"{line}; stock p50 {p50:.3f} s, p95 {p95:.3f} s; {answers.ratio:.2f} times stock's time"


Ask = Callable[[http.client.HTTPConnection, Mapping[str, str]], None]


def _crowd(crowded: Crowded, people: Sequence[str], asks: int, ask: Ask) -> list[float]:
    """Everybody asks at once, so many times one after the other, each on a connection that they keep."""

    def one(name: str) -> list[float]:
        connection = http.client.HTTPConnection(*crowded.side.client.address, timeout=ANSWER_SECONDS)
        times = []
        try:
            for _ in range(asks):
                began = time.perf_counter()
                ask(connection, crowded.headers[name])
                times.append(time.perf_counter() - began)
        finally:
            connection.close()
        return times

    with ThreadPoolExecutor(len(people)) as pool:
        return [seconds for times in pool.map(one, people) for seconds in times]


def _ask_runs(connection: http.client.HTTPConnection, headers: Mapping[str, str]) -> None:
    connection.request("POST", "/graphql", _ASKED, {**headers, "Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    found = json.loads(text) if response.status == http.client.OK else {}
    results = ((found.get("data") or {}).get("runsFeedOrError") or {}).get("results", ())
    if len(results) != _PAGE or found.get("errors"):
        raise SideError(f"no list of runs: HTTP {response.status} {text[:500]!r}")


def _page(path: str) -> Ask:
    def ask(connection: http.client.HTTPConnection, headers: Mapping[str, str]) -> None:
        connection.request("GET", path, None, {**headers, "Accept": "text/html"})
        response = connection.getresponse()
        text = response.read()
        if response.status != http.client.OK:
            raise SideError(f"{path}: HTTP {response.status} {text[:500]!r}")

    return ask
