"""Case 30: what a project reads of a patient, and what the node keeps secret, is in no log nor outside.

The project writes a patient into everything that it can name: step keys, output files, declarations,
metadata, tags, messages, errors, calls that are refused. Inside the node its own people may see that. The
audit log, the node's own log and files, and whatever a federation coordinator is given hold none of it.
"""

from __future__ import annotations

import io
import json
import logging
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from attacked_node import CANARY, PROJECTS, AttackedNode, commit, git, until, write_node_repo
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.collector import Collector, trace_collector
from tests.folders import open_folder

from phems.adapters.lineage_file import NAME
from phems.adapters.node_log import NodeLog
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.engine.hosts import HostState
from phems.gateway.app import assemble
from phems.gateway.settings import settings_of

LEAKER, HUB = "leaker", "hub"
ANA, CAROL, DMITRI, WEI, AUDE = (Actor(name) for name in ("ana", "carol", "dmitri", "wei", "aude"))
# However it is written: with dashes in a name of a file, with underscores in a step key.
PATIENT = re.compile(r"CANARY.{1,3}PATIENT.{1,3}7f3a9", re.IGNORECASE)
CLIENT = "httpx2"
"""Whoever asks the node writes a log of their own."""
# What is project code's own: withheld like its files, until released. The status says why code does not load.
WITHHELD = (
    *("artifacts", "code", "logs", "releases", "postgres/base", "postgres/pg_wal", "dagster"),
    "status.json",
)


class Recorder(logging.Handler):
    """Everything that this process logs, at any level, tracebacks included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class LeakingNode:
    """The node, what it logged, and what the API told the coordinator."""

    site: AttackedNode
    log: Recorder
    written: io.StringIO
    """What the node's own handler makes of all that, at any level."""
    collector: Collector
    tokens: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def client(self, who: str) -> TestClient:
        """The API, as one person or the coordinator."""
        node = self.site.serving.node
        app = assemble(Starlette(), node.users, settings=settings_of(node.spec), cases=node)
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        return TestClient(app, base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=False)

    def told(self, path: str) -> Any:
        """What the coordinator is told, kept for the search."""
        answer = self.client(HUB).get(path)
        self.left += [repr(answer.headers), answer.content.decode("utf-8", "replace")]
        return answer


@pytest.fixture(scope="module")
def leaking(sandbox: None) -> Iterator[LeakingNode]:
    """The node after the project has done its worst, and one honest file was released."""
    recorder = Recorder()
    written = io.StringIO()
    own = NodeLog("json", role="control", stream=written)
    own.filters.clear()
    own.addFilter(lambda record: record.name != CLIENT)
    recorder.addFilter(lambda record: record.name != CLIENT)
    root = logging.getLogger()
    level = root.level
    root.addHandler(recorder)
    root.addHandler(own)
    root.setLevel(logging.DEBUG)
    try:
        with open_folder() as folder, trace_collector() as collector:
            write_node(folder / "site", collector)
            with AttackedNode(folder / "site", approve=(LEAKER,)) as site:
                node = LeakingNode(site, recorder, written, collector)
                go_through_it_all(node)
                yield node
    finally:
        root.removeHandler(recorder)
        root.removeHandler(own)
        root.setLevel(level)


def write_node(folder: Path, collector: Collector) -> None:
    """A node with the leaking project on it, and a coordinator who is handed its releases."""

    def add(spec: dict[str, Any]) -> None:
        leaker = {
            **spec["projects"]["ward"],
            "code": {"repo": f"repos/{LEAKER}", "module": "leaker.definitions"},
        }
        leaker["members"] = {**leaker["members"], "coordinator": [HUB]}
        spec["telemetry"] = {"otlp": collector.address}
        spec["lineage"] = {"file": {}}
        spec["projects"] = {LEAKER: leaker, "ward": spec["projects"]["ward"]}

    write_node_repo(folder, add)
    repo = folder / "repos" / LEAKER
    shutil.copytree(PROJECTS / LEAKER, repo, ignore=shutil.ignore_patterns("__pycache__"))
    git(repo, "init", "-q", "-b", "main")
    commit(repo, "First")


def go_through_it_all(leaking: LeakingNode) -> None:
    """A run, requests, votes, a release, a delivery, a revocation; each with the patient wherever it fits."""
    site = leaking.site
    node = site.serving.node
    for who in ("ana", "carol", "dmitri", "wei"):
        node.users.add_user(LOCAL_OPERATOR, who)
        leaking.tokens[who] = node.users.issue_token(LOCAL_OPERATOR, who).secret
    leaking.tokens[HUB] = node.coordinators.issue_token(LOCAL_OPERATOR, HUB).secret
    run_id = site.launch(LEAKER, "leak", tags={CANARY: CANARY})
    assert not site.wait(run_id, 60).is_success
    assert PATIENT.search(site.printed(run_id)), "the project did not get to say anything"
    assert PATIENT.search(site.log(run_id))
    requests = f"/api/projects/{LEAKER}/release-requests"
    ana = leaking.client("ana")

    def group(*files: str, about: str = CANARY) -> dict[str, Any]:
        return {"context": f"About {about}", "controls": f"None for {about}", "files": list(files)}

    refused = ana.post(requests, json={"run": run_id, "groups": [group(f"{CANARY}.exe")]})
    assert refused.status_code == 403, refused.text
    ana.post(requests, json={"run": run_id, "groups": [group(f"{CANARY}.absent")]})
    sent = {"X-Request-Id": CANARY}
    ana.get(f"/api/projects/{LEAKER}/runs/{CANARY}", params={CANARY: CANARY}, headers=sent)
    ana.get(f"/{CANARY}", params={"patient": CANARY}, headers=sent)
    returned = ana.post(requests, json={"run": run_id, "groups": [group(f"{CANARY}.csv")]}).json()
    reason = {"turn": 1, "reason": f"It names {CANARY}"}
    carol = leaking.client("carol")
    assert carol.post(f"/api/release-requests/{returned['id']}/return", json=reason).status_code == 200
    request = ana.post(requests, json={"run": run_id, "groups": [group("counts.csv", about="counts")]}).json()
    path = f"/api/release-requests/{request['id']}"
    for who in ("carol", "dmitri"):
        checker = leaking.client(who)
        remark = {"text": f"I looked at {CANARY}", "private": True}
        assert checker.post(f"{path}/comment", json=remark).status_code == 200
        votes = [{"path": file["path"], "vote": "APPROVED"} for file in request["files"]]
        answer = checker.post(f"{path}/vote", json={"turn": 1, "votes": votes})
        if answer.status_code == 400:  # a check found something: it takes a reason
            votes = [{**vote, "justification": "Counts by sex, all large"} for vote in votes]
            answer = checker.post(f"{path}/vote", json={"turn": 1, "votes": votes})
        assert answer.status_code == 200, answer.text
        checker.get(f"{path}/file", params={"path": request["files"][0]["path"]})
    until(lambda: leaking.told("/api/releases").json()["items"], 30, "the package is in the outbox")
    package = leaking.told(f"/api/releases/{request['id']}/package")
    assert package.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(package.content)) as tar:
        leaking.left += tar.getnames()
    leaking.told(f"/api/releases/{returned['id']}/package")
    leaking.told("/api/releases?cursor=nothing")
    leaking.told(f"/api/projects/{LEAKER}/runs/{run_id}")
    until(lambda: tick_of(site), 60, "the sensor has ticked")
    broken = f'raise RuntimeError("{CANARY}")\n'
    digest = site.deliver(LEAKER, {"src/leaker/definitions.py": broken})
    until(lambda: has_failed(site, digest), 60, "the broken code does not load")


def tick_of(site: AttackedNode) -> Any:
    """A tick of the sensor that has ended."""
    location = site.location(LEAKER)
    assert location is not None
    (repository,) = location.get_repositories().values()
    sensor = repository.get_sensor("ask")
    ticks = site.instance.get_ticks(sensor.get_remote_origin_id(), sensor.selector_id)
    return next((tick for tick in ticks if tick.status.value != "STARTED"), None)


def has_failed(site: AttackedNode, digest: str) -> bool:
    """Whether the host of this revision has given up."""
    host = site.serving.control.hosts.current(LEAKER)
    return host is not None and host.plan.code_digest == digest and host.state is HostState.FAILED


def places(lines: list[str], found: re.Pattern[str]) -> list[str]:
    """Where it is, with what stands around it."""
    hits = (match for line in lines for match in [found.search(line)] if match)
    return [hit.string[max(hit.start() - 150, 0) : hit.end() + 80] for hit in hits]


def test_no_patient_is_in_the_audit_log(leaking: LeakingNode) -> None:
    """It is exported, and kept for ever, by people who may see no patient."""
    exported = [line.decode() for line in leaking.site.serving.node.audit.export(AUDE)]
    assert len(exported) > 10
    assert places(exported, PATIENT) == []


def test_no_patient_is_in_the_nodes_own_log(leaking: LeakingNode) -> None:
    """It goes to whoever runs the node, and to the log service of the hospital's computers."""
    assert leaking.log.lines
    assert places(leaking.log.lines, PATIENT) == []


def test_no_patient_is_in_what_the_nodes_own_handler_writes(leaking: LeakingNode) -> None:
    """Not by an address, a query, a header or a file's name either; and programs can read each line."""
    lines = leaking.written.getvalue().splitlines()
    assert places(lines, PATIENT) == []
    told = [json.loads(line) for line in lines]
    answered = [each for each in told if each["logger"] == "phems.requests"]
    assert {"GET", "POST"} <= {each["method"] for each in answered}
    assert all(re.fullmatch(r"[0-9a-f-]{36}", each["request_id"]) for each in answered)


def test_no_patient_is_in_a_trace(leaking: LeakingNode) -> None:
    """It goes to the collector, where who looks for slow runs sees it."""
    until(lambda: {"run", "step process"} <= {span.name for span in leaking.collector.spans()}, 30, "spans")
    assert places([body.decode("utf-8", "replace") for body in leaking.collector.bodies()], PATIENT) == []


def test_no_patient_is_in_a_file_of_the_nodes_own(leaking: LeakingNode) -> None:
    """Checkpoints, Postgres's log: read, copied and backed up by whoever runs the node."""
    data = leaking.site.data
    files = [
        path
        for path in data.rglob("*")
        if path.is_file() and not path.relative_to(data).as_posix().startswith(WITHHELD)
    ]
    assert [path for path in files if path.suffix == ".log" or "checkpoint" in path.name]
    found = {str(path): places([path.read_bytes().decode("utf-8", "replace")], PATIENT) for path in files}
    assert {path: hits for path, hits in found.items() if hits} == {}


def test_no_patient_is_in_lineage(leaking: LeakingNode) -> None:
    """It goes to a lineage store: more people and machines than may see a patient."""
    file = leaking.site.serving.paths.lineage / NAME
    until(lambda: b'"COMPLETE"' in file.read_bytes(), 30, "the release is told")
    lines = file.read_text().splitlines()
    assert any("leak.fail_with" in line and '"FAIL"' in line for line in lines)
    assert places(lines, PATIENT) == []


def test_no_patient_leaves_the_node(leaking: LeakingNode) -> None:
    """Only the file that two people looked at was to leave; not what it was made by, or lay beside."""
    assert any("counts.csv" in text for text in leaking.left), "the released file did leave"
    assert places(leaking.left, PATIENT) == []


def test_no_secret_is_in_any_log_or_answer(leaking: LeakingNode) -> None:
    """Who reads one would be somebody else: a person, the coordinator, the database's owner, the node."""
    node, data = leaking.site.serving.node, leaking.site.data
    secrets = list(leaking.tokens.values())
    for path in node.paths.keys.rglob("*"):
        if path.is_file() and "pub" not in path.name:
            secrets += re.findall(r"[\w+/=.-]{16,}", path.read_text(errors="replace"))
    assert len(secrets) > len(leaking.tokens)
    told = [*leaking.log.lines, *leaking.left, *(line.decode() for line in node.audit.export(AUDE))]
    logs = {path for kind in ("*.log", "*.out", "*.err", "status.json") for path in data.rglob(kind)}
    told += [path.read_text(errors="replace") for path in logs]
    told.append(leaking.written.getvalue())
    text = "\n".join(told)
    assert [secret for secret in secrets if secret in text and not secret.startswith("-----")] == []
