"""A whole node with its gateway and two projects, of which one is to be kept from the other's people.

All that the second project has is named after it: jobs, ops, assets, tags, partitions, schedules, sensors,
pools. So whatever of it comes through somewhere, its name gives it away.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from textwrap import dedent
from typing import Any, Self
from urllib.parse import urlencode

import yaml
from attacked_node import commit, git, until
from dagster._daemon import controller
from tests.made_databases import give_database

from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.serve import ServingNode

OWN, OTHER = "alpha", "canary-beta"
MARK = "canary"
PASSWORD = "four plain words here"
PEOPLE = ("ana", "ben", "carol", "iris", "olga", "aud", "both", "mallory")
WAIT = 120.0

SPEC: dict[str, Any] = {
    "version": 1,
    "node": {"name": "shared"},
    "controller": {"name": "Shared Hospital"},
    # Those that attack it are one address.
    "gateway": {"host": "127.0.0.1", "rate_limits": {"strangers": "10000/minute"}},
    "roles": {"operator": ["olga"], "auditor": ["aud"]},
    "projects": {
        OWN: {
            "code": {"repo": f"code/{OWN}"},
            "members": {
                "data_analyst": ["ana", "both"],
                "output_checker": ["carol", "dmitri"],
                "information_asset_owner": ["iris"],
            },
        },
        OTHER: {
            "code": {"repo": f"code/{OTHER}"},
            "members": {
                "data_analyst": ["ben"],
                "output_checker": ["both", "carol"],
                "information_asset_owner": ["iris"],
            },
        },
    },
}

DEFINITIONS = '''
import time
import dagster as dg

drawers = dg.DynamicPartitionsDefinition(name="{prefix}/drawers")
wards = dg.StaticPartitionsDefinition(["{prefix}_north", "{prefix}_south"])

@dg.op(pool="{prefix}_pool", tags={"{prefix}_op_tag": "1"})
def {prefix}_op(context):
    """{prefix} op."""
    context.log.info("{prefix} said")
    print("{prefix} printed")

@dg.job(tags={"{prefix}_tag": "{prefix}_value"}, description="{prefix} job")
def {prefix}_job():
    {prefix}_op()

@dg.op
def {prefix}_sleep():
    time.sleep(7200)

@dg.job
def {prefix}_endless():
    {prefix}_sleep()

@dg.asset(key_prefix="{prefix}", partitions_def=wards, group_name="{prefix}_group", owners=["team:{prefix}"])
def {prefix}_ward(context) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"{prefix}_note": "{prefix} noted"})

@dg.asset(key_prefix="{prefix}", deps=[{prefix}_ward], kinds={"{prefix}_kind"})
def {prefix}_table() -> None:
    pass

@dg.asset(key_prefix="{prefix}", partitions_def=drawers)
def {prefix}_drawer() -> None:
    pass

@dg.asset_check(asset={prefix}_table)
def {prefix}_check():
    return dg.AssetCheckResult(passed=True, description="{prefix} checked")

@dg.schedule(job={prefix}_job, cron_schedule="0 0 1 1 *", default_status=dg.DefaultScheduleStatus.RUNNING)
def {prefix}_schedule():
    return dg.SkipReason("{prefix} skipped")

@dg.sensor(job={prefix}_job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def {prefix}_sensor():
    return dg.SkipReason("{prefix} skipped")

defs = dg.Definitions(
    assets=[{prefix}_ward, {prefix}_table, {prefix}_drawer],
    asset_checks=[{prefix}_check],
    jobs=[{prefix}_job, {prefix}_endless],
    schedules=[{prefix}_schedule],
    sensors=[{prefix}_sensor],
)
'''


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    cookie: str = ""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Traces:
    """What a project has left in Dagster's storages: one of each kind."""

    project: str
    run: str = ""
    waiting: str = ""
    backfill: str = ""
    run_ids: set[str] = field(default_factory=set)

    @property
    def prefix(self) -> str:
        return self.project.replace("-", "_")


class GatewayNode:
    """The serving node; a context manager, which gives each project a history first."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        spec = json.loads(json.dumps(SPEC))
        spec["gateway"]["port"] = self.port
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "node.yaml").write_text(yaml.safe_dump(spec))
        for project in (OWN, OTHER):
            _write_code(folder / "code" / project, project.replace("-", "_"))
        self.folder = folder
        self.serving = ServingNode(folder)
        self.tokens: dict[str, str] = {}
        self.own, self.other = Traces(OWN), Traces(OTHER)

    def __enter__(self) -> Self:
        with _looking_each_second():
            give_database(self.serving)
            self.serving.start()
            try:
                self._populate()
                for traces, analyst in ((self.own, "ana"), (self.other, "ben")):
                    self._leave_traces(traces, analyst)
            except BaseException:
                self.serving.stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self.serving.stop()

    @property
    def instance(self) -> Any:
        """The node's own Dagster instance, which sees all."""
        return self.serving.control.instance

    def ask(self, name: str, query: str, **variables: Any) -> Any:
        """A GraphQL answer."""
        return self.post(name, {"query": query, "variables": variables}).json()

    def post(self, name: str, body: Any) -> Answer:
        """A GraphQL answer, with its status."""
        headers = {"Content-Type": "application/json"}
        return self.send(name, "POST", "/graphql", json.dumps(body).encode(), headers)

    def send(
        self,
        name: str | None,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request with somebody's token."""
        sent = dict(headers or {})
        if name is not None:
            sent["Authorization"] = f"Bearer {self.tokens[name]}"
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            set_cookie = response.headers["Set-Cookie"] or ""
            return Answer(response.status, response.read(), set_cookie.partition(";")[0])
        finally:
            connection.close()

    @property
    def origin(self) -> str:
        """What a browser says of the node's own pages."""
        return f"http://127.0.0.1:{self.port}"

    def cookie(self, name: str) -> str:
        """Somebody's signed-in cookie, as their browser sends it."""
        form = urlencode({"name": name, "password": PASSWORD}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        return self.send(None, "POST", "/login", form, headers).cookie

    def launch(self, name: str, project: str, job: str) -> str:
        """Launch a job; gives the run's id."""
        answer = self.ask(name, LAUNCH, params=launching(project, job))
        return str(answer["data"]["launchRun"]["run"]["runId"])

    def status(self, run_id: str) -> str:
        """A run's status, as the node has it."""
        return str(self.instance.get_run_by_id(run_id).status.value)

    def wait_for(self, run_id: str, status: str) -> None:
        """Until a run has a status."""
        until(lambda: self.status(run_id) == status, WAIT, f"{run_id} is {status}")

    def _populate(self) -> None:
        node = self.serving.node
        for name in PEOPLE:
            node.users.add_user(LOCAL_OPERATOR, name, PASSWORD)
            self.tokens[name] = node.users.issue_token(LOCAL_OPERATOR, name).secret
        for project, analyst in ((OWN, "ana"), (OTHER, "ben")):
            revision = node.code_revisions.submit(Actor(analyst), project)
            node.code_revisions.approve(Actor("iris"), project, revision.commit)
        for project in (OWN, OTHER):
            until(lambda project=project: self._is_loaded(project), WAIT, f"{project} is loaded")

    def _is_loaded(self, project: str) -> bool:
        entries = self.serving.control.workspace.get_current_workspace().code_location_entries
        return project in entries and entries[project].code_location is not None

    def _leave_traces(self, traces: Traces, analyst: str) -> None:
        prefix, project = traces.prefix, traces.project
        added = self.ask(
            analyst,
            "mutation($r: RepositorySelector!, $n: String!, $k: String!) {"
            " addDynamicPartition(repositorySelector: $r, partitionsDefName: $n, partitionKey: $k)"
            " { __typename } }",
            r={"repositoryName": "__repository__", "repositoryLocationName": project},
            n=f"{prefix}/drawers",
            k=f"{prefix}_drawer_1",
        )
        assert added["data"]["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess", added
        limit = "mutation($k: String!) { setConcurrencyLimit(concurrencyKey: $k, limit: 3) }"
        assert self.ask("olga", limit, k=f"{prefix}_pool")["data"], "operators set pools"
        traces.run = self.launch(analyst, project, f"{prefix}_job")
        self.wait_for(traces.run, "SUCCESS")
        traces.waiting = self.launch(analyst, project, f"{prefix}_endless")
        self.wait_for(traces.waiting, "STARTED")
        asked = self.ask(
            analyst,
            "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
            " { __typename ... on LaunchBackfillSuccess { backfillId } } }",
            p={
                "assetSelection": [{"path": [prefix, f"{prefix}_ward"]}],
                "partitionNames": [f"{prefix}_north", f"{prefix}_south"],
            },
        )
        traces.backfill = asked["data"]["launchPartitionBackfill"]["backfillId"]
        until(lambda: self._backfill_is_over(traces.backfill), WAIT, "the backfill is over")
        state_of = self.instance.all_instigator_state
        until(
            lambda: any(
                state.instigator_name == f"{prefix}_sensor"
                and self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
                for state in state_of()
            ),
            WAIT,
            "the sensor ticks",
        )
        traces.run_ids = {
            run.run_id for run in self.instance.get_runs() if run.tags.get("phems/project") == project
        }

    def _backfill_is_over(self, backfill_id: str) -> bool:
        backfill = self.instance.get_backfill(backfill_id)
        return backfill.status.value.startswith("COMPLETED")


LAUNCH = """
mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


@contextmanager
def _looking_each_second() -> Iterator[None]:
    """Daemons that start meanwhile look each second: Dagster's look for backfills twice a minute."""
    usual = controller.DEFAULT_DAEMON_INTERVAL_SECONDS
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 1
    try:
        yield
    finally:
        controller.DEFAULT_DAEMON_INTERVAL_SECONDS = usual


def launching(project: str, job: str) -> dict[str, Any]:
    """What `launchRun` needs to know."""
    selector = {"repositoryLocationName": project, "repositoryName": "__repository__", "jobName": job}
    return {"selector": selector, "runConfigData": {}}


def _write_code(repo: Path, prefix: str) -> None:
    package = repo / "src" / prefix
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    text = dedent(DEFINITIONS).replace("{prefix}", prefix)
    package.joinpath("definitions.py").write_text(text, encoding="utf-8")
    git(repo, "init", "-q", "-b", "main")
    commit(repo, "First")
