"""Attack 33, embedded: Postgres is killed while steps write events, and once more. Nothing is lost."""

from __future__ import annotations

import os
import signal

from tests.nodes import RunningNode, running_node, succeeded, temporary_site

from phems.domain.actors import LOCAL_OPERATOR

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
            node.ready("talk", node.approve("talk"))
            run_id = node.launch("talks", project="talk")
            for step, how in (("first", signal.SIGKILL), ("second", signal.SIGQUIT)):
                node.when_started(run_id, step)
                before = len(numbers(node, run_id))
                node.wait_for(lambda so_far=before: len(numbers(node, run_id)) > so_far + 20, "numbers")
                kill_postgres(node, how)
                node.artifact(f"end-{step}", "talk").touch()
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
