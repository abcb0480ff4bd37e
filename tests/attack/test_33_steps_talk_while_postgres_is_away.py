"""Attack 33: Postgres is killed, or its connections are cut, while steps write events. Nothing is lost."""

from __future__ import annotations

import os
import random
import signal

from tests.external_postgres import ExternalPostgres
from tests.nodes import RunningNode, running_node, succeeded, temporary_site
from tests.tcp_proxy import TcpProxy

from phems.bootstrap.database import set_up_database
from phems.domain.actors import LOCAL_OPERATOR
from phems.nodespec import load_node, node_paths

CUTS_IN_A_STEP = 10

TALK = '''
import threading
from pathlib import Path

import dagster as dg


def talk(context: dg.OpExecutionContext, said: int) -> int:
    """Say numbers until there is a file that ends it; gives how many it said in all."""
    end, pause = Path(f"/artifacts/end-{context.op.name}"), threading.Event()
    while not end.exists():
        context.log.info(f"number {said}")
        said += 1
        pause.wait(0.005)
    return said


@dg.op
def first(context: dg.OpExecutionContext) -> int:
    return talk(context, 0)


@dg.op
def second(context: dg.OpExecutionContext, said: int) -> int:
    return talk(context, said)


@dg.op
def last(context: dg.OpExecutionContext, said: int) -> None:
    Path("/artifacts/said").write_text(str(said))


@dg.job
def talks() -> None:
    last(second(first()))


defs = dg.Definitions(jobs=[talks])
'''


def test_33_what_steps_say_while_postgres_is_killed_is_stored_once(sandbox: None) -> None:
    """Otherwise a database that is restarted fails a night's work, or falsifies it."""
    with temporary_site() as site:
        site.add_project("talk", {"talk/__init__.py": "", "talk/definitions.py": TALK})
        with running_node(site) as node:
            run_id = talking(node)
            for step, how in (("first", signal.SIGKILL), ("second", signal.SIGQUIT)):
                node.when_started(run_id, step)
                until_more_is_said(node, run_id, 20)
                kill_postgres(node, how)
                node.artifact(f"end-{step}", "talk").touch()
            everything_is_there_once(node, run_id)


def test_33_what_steps_say_while_connections_are_cut_is_stored_once(sandbox: None) -> None:
    """Otherwise a bad network between the node and an external Postgres does the same, a little every day."""
    chance = random.Random(33)  # noqa: S311 (moments, not secrets)
    with (
        temporary_site() as site,
        ExternalPostgres(site.folder / "external") as server,
        TcpProxy(server.plain_port) as proxy,
    ):
        site.settings["database"] = {"url": f"postgresql://127.0.0.1:{proxy.port}/talk"}
        site.add_project("talk", {"talk/__init__.py": "", "talk/definitions.py": TALK})
        spec = load_node(site.node_folder)
        paths = node_paths(spec, site.node_folder)
        set_up_database(spec, paths, server.admin(), reset_passwords=False).close()
        with running_node(site) as node:
            run_id, cut = talking(node), 0
            for step in ("first", "second"):
                node.when_started(run_id, step)
                for _ in range(CUTS_IN_A_STEP):
                    until_more_is_said(node, run_id, chance.randrange(40))
                    cut += proxy.cut()
                node.artifact(f"end-{step}", "talk").touch()
            assert cut > 2 * CUTS_IN_A_STEP
            everything_is_there_once(node, run_id)


def talking(node: RunningNode) -> str:
    """A run whose steps talk."""
    node.ready("talk", node.approve("talk"))
    return node.launch("talks", project="talk")


def until_more_is_said(node: RunningNode, run_id: str, count: int) -> None:
    """Wait until so many numbers more are in the log."""
    before = len(numbers(node, run_id))
    node.wait_for(lambda: len(numbers(node, run_id)) > before + count, "numbers", 60)


def everything_is_there_once(node: RunningNode, run_id: str) -> None:
    """The run ends well, and its log and the audit log are those of a run that nothing happened to."""
    run = node.finished(run_id, 120)
    assert succeeded(run), node.story(run_id)
    said = int(node.artifact("said", "talk").read_text())
    assert numbers(node, run_id) == list(range(said))
    kinds = [event.event_type_value for event in node.events(run_id)]
    assert kinds.count("STEP_START") == kinds.count("STEP_SUCCESS") == 3, node.story(run_id)
    assert kinds.count("PIPELINE_SUCCESS") == 1
    assert node.serving.node.audit.verify(LOCAL_OPERATOR).ok


def numbers(node: RunningNode, run_id: str) -> list[int]:
    """The numbers that steps said, in the order of the run's log."""
    told = (entry.user_message for entry in node.instance.all_logs(run_id))
    return [int(message.removeprefix("number ")) for message in told if message.startswith("number ")]


def kill_postgres(node: RunningNode, how: signal.Signals) -> None:
    """End the node's Postgres without a word, and wait until its keeper has started another that answers."""
    server = node.serving.node.database.server
    assert server is not None
    killed = server.pid
    assert killed is not None
    os.kill(killed, how)
    node.wait_for(lambda: server.pid not in {None, killed}, "another Postgres", 60)
