"""A whole node that runs in this process: two small projects in real Git repos, people by their roles."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from tests.made_databases import give_database

from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.serve import ServingNode

PROJECT = "heart-attack"
OTHER = "breast-cancer"
PASSWORD = "four plain words here"
WEBHOOK_SECRET = "5f0c1d9e-of-the-git-server"
DEADLINE_SECONDS = 60.0
PEOPLE = ("ana", "ben", "omar", "iris", "olga", "aud", "nobody")

SPEC = """\
version: 1
node: {{name: st-mary}}
controller: {{name: St Mary's Hospital}}
# All tests share the node, and one of them asks every route: their strangers are one address.
gateway: {{host: 127.0.0.1, port: {port}, rate_limits: {{strangers: 10000/minute}}}}
roles: {{operator: [olga], auditor: [aud]}}
# Nobody listens there but in the tests of notifications and of lineage.
notifications:
  smtp: {{host: 127.0.0.1, port: {smtp_port}, security: none, sender: node@hospital.example}}
  webhook: {{url: "http://127.0.0.1:{hook_port}/hook", secret: "file:webhook.secret"}}
telemetry: {{otlp: "http://127.0.0.1:{collector_port}/v1/traces"}}
lineage:
  file: {{}}
  collector: {{url: "http://127.0.0.1:{lineage_port}/api/v1/lineage", token: "file:webhook.secret"}}
projects:
  heart-attack:
    code: {{repo: code/heart-attack, webhook_secret: "file:webhook.secret"}}
    members: {{data_analyst: [ana], output_checker: [omar, oda], information_asset_owner: [iris]}}
  breast-cancer:
    code: {{repo: code/breast-cancer}}
    members: {{data_analyst: [ben], output_checker: [omar, oda], information_asset_owner: [iris]}}
"""

DEFINITIONS = """
import time
import dagster as dg

@dg.op
def speak(context):
    context.log.info("a word from the step")
    print("printed by the step")
    return 2

@dg.op
def double(number):
    return number * 2

@dg.job
def two_steps():
    double(speak())

@dg.op
def break_down():
    raise ValueError("the cohort is empty")

@dg.job
def failing():
    break_down()

@dg.op
def sleep_long():
    time.sleep(600)

@dg.job
def endless():
    sleep_long()

@dg.op(config_schema={"times": int})
def count(context):
    context.log.info("counted %d" % context.op_config["times"])

@dg.job
def counting():
    count()

@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def stumble(context):
    if context.retry_number == 0:
        raise ValueError("not yet")

@dg.job
def retrying():
    stumble()

@dg.asset(key_prefix="{prefix}", partitions_def=dg.StaticPartitionsDefinition(["north", "south"]))
def ward(context) -> None:
    context.log.info("ward " + context.partition_key)

@dg.asset(key_prefix="{prefix}")
def patients() -> None:
    pass

@dg.asset(key_prefix="{prefix}", deps=[patients])
def ages() -> dg.MaterializeResult:
    patient = "CANARY-" + "PATIENT_7f3a9"  # as if it were read
    born = dg.TableColumnDep(dg.AssetKey(["{prefix}", "patients"]), "born")
    other = dg.TableColumnDep(dg.AssetKey(["{prefix}", patient]), "born")
    metadata = {
        "dagster/column_lineage": dg.TableColumnLineage({"age": [born, other], patient: [born]}),
        "dagster/column_schema": dg.TableSchema([dg.TableColumn("age", "int64"), dg.TableColumn(patient)]),
        "dagster/row_count": 12,
    }
    return dg.MaterializeResult(metadata=metadata)

make_ages = dg.define_asset_job("make_ages", selection=[patients, ages])
all_jobs = [two_steps, failing, endless, counting, retrying, make_ages]
defs = dg.Definitions(assets=[ward, patients, ages], jobs=all_jobs)
"""


@dataclass
class SmallNode:
    """The running node, its folder, and a token for each person."""

    folder: Path
    serving: ServingNode
    tokens: dict[str, str]

    @property
    def smtp_port(self) -> int:
        """Where it hands its mail over."""
        smtp = self.serving.spec.notifications.smtp
        assert smtp is not None
        return smtp.port

    @property
    def hook_port(self) -> int:
        """Where it posts what waits."""
        webhook = self.serving.spec.notifications.webhook
        assert webhook is not None
        return int(webhook.url.rpartition(":")[2].partition("/")[0])

    @property
    def lineage_port(self) -> int:
        """Where it posts lineage events."""
        collector = self.serving.spec.lineage.collector
        assert collector is not None
        return int(collector.url.rpartition(":")[2].partition("/")[0])

    @property
    def port(self) -> int:
        return self.serving.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start_small_node(folder: Path, collector_port: int) -> SmallNode:
    """Write the node, serve it, add its people, approve both projects' code; stop `serving` at the end."""
    spec = SPEC.format(
        port=free_port(),
        smtp_port=free_port(),
        hook_port=free_port(),
        collector_port=collector_port,
        lineage_port=free_port(),
    )
    folder.joinpath("node.yaml").write_text(spec, encoding="utf-8")
    for project in (PROJECT, OTHER):
        _write_code(folder / "code" / project, project)
    secret = folder / "webhook.secret"
    secret.write_text(f"{WEBHOOK_SECRET}\n", encoding="utf-8")
    secret.chmod(0o600)
    serving = ServingNode(folder)
    give_database(serving)
    serving.start()
    try:
        return SmallNode(folder, serving, _populate(serving))
    except BaseException:
        serving.stop()
        raise


def _populate(serving: ServingNode) -> dict[str, str]:
    node = serving.node
    tokens = {}
    for name in PEOPLE:
        node.users.add_user(LOCAL_OPERATOR, name, PASSWORD)
        tokens[name] = node.users.issue_token(LOCAL_OPERATOR, name).secret
    for project, analyst in ((PROJECT, "ana"), (OTHER, "ben")):
        revision = node.code_revisions.submit(Actor(analyst), project)
        node.code_revisions.approve(Actor("iris"), project, revision.commit)
    for project in (PROJECT, OTHER):
        until(lambda project=project: _is_loaded(serving, project))
    return tokens


def _is_loaded(serving: ServingNode, project: str) -> bool:
    entry = serving.control.workspace.get_current_workspace().code_location_entries.get(project)
    return entry is not None and entry.code_location is not None


def until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for a condition; AssertionError after the deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_code(repo: Path, project: str) -> None:
    package = repo / "src" / project.replace("-", "_")
    package.mkdir(parents=True)
    package.joinpath("__init__.py").touch()
    prefix = project.replace("-", "_")
    package.joinpath("definitions.py").write_text(
        dedent(DEFINITIONS).replace("{prefix}", prefix), encoding="utf-8"
    )
    _git(repo, "init", "-q", "-b", "main")
    _commit(repo, "First")


def commit_code(repo: Path, line: str) -> None:
    """A further commit, with a line added to the definitions."""
    (definitions,) = repo.glob("src/*/definitions.py")
    definitions.write_text(definitions.read_text(encoding="utf-8") + line, encoding="utf-8")
    _commit(repo, "Change")


def _commit(repo: Path, message: str) -> None:
    _git(repo, "add", ".")
    _git(repo, "commit", "-q", "-m", message)


def _git(repo: Path, *arguments: str) -> None:
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Zoe"), ("EMAIL", "zoe@hospital.example"))
    }
    subprocess.run(["git", "-C", str(repo), *arguments], check=True, env={**os.environ, **who})
