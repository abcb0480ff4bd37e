"""A node to practise on: the example hospital at a moment when some of its people are waited for.

Code of one project is approved, and a release of its results asked for; code of another waits for approval.
The tutorials of the roles go on from here.
"""

from __future__ import annotations

import secrets
import shlex
import signal
import sys
from functools import partial
from pathlib import Path

from phems.adapters.durable_files import replace
from phems.cli.demo_acts import RUN_SECONDS, Story, host_of, run_of
from phems.cli.demo_node import PEOPLE, DemoNode
from phems.cli.demo_story import BREAST, HEART, set_up, shown_path
from phems.cli.demo_terminal import Teller

PEOPLE_FILE = "people.sh"


def practise(folder: Path) -> None:
    """Set it up in a fresh folder, and keep it running until it is told to end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as by Ctrl-C: the node is stopped, too
    story, password = Story(DemoNode(folder), Teller()), secrets.token_urlsafe(12)
    try:
        with story.teller.stage(1, "A hospital's node, from an empty folder"):
            set_up(story)
        with story.teller.stage(2, "Some have done their part, and others are waited for"):
            _act(story, password)
        _tell(story, password)
        story.node.wait()
    finally:
        story.node.stop()


def _act(story: Story, password: str) -> None:
    for name in PEOPLE:
        story.teller.progress(f"giving {name} a password")
        story.node.act("operator", "user", "password", name, "--password-stdin", typed=password)
    commit = story.act("ana", "code", "submit", "--project", HEART)["commit"]
    story.act("wei", "code", "approve", "--project", HEART, commit[:12])
    story.act("ben", "code", "submit", "--project", BREAST)
    story.wait_for(f"the host of {HEART}", partial(host_of, story, HEART), RUN_SECONDS)
    run = run_of(story, "ana", HEART, "analysis")
    story.act(
        "ana", "release", "request", "--project", HEART, "--run", run["id"],
        "--context", "Survival after a heart attack, for publication",
        "--controls", "Numbers at risk in tens, groups below ten left out",
    )  # fmt: skip


def _tell(story: Story, password: str) -> None:
    node, teller = story.node, story.teller
    replace(node.folder / PEOPLE_FILE, _people(node, password).encode())
    teller.say(f"\nTo act in another terminal   cd {shown_path(node.folder)} && . ./{PEOPLE_FILE}")
    teller.say(f"To look in a browser         {node.url}  as any of them, with the password {password}")
    teller.say("The node runs until you press Ctrl-C.")


def _people(node: DemoNode, password: str) -> str:
    """Who can act on the node, for a shell: a token in a variable of each one's name."""
    programs = shlex.quote(str(Path(sys.executable).parent))
    return "\n".join(
        [
            "# For a shell, with `. ./people.sh`. The tokens are for this node alone, which has no secrets.",
            f"command -v phems > /dev/null || PATH={programs}:$PATH",
            f"export PHEMS_NODE={node.url}",
            *(f"{name.upper()}={node.tokens[name]}" for name in PEOPLE),
            f"PASSWORD={password}",
            "",
        ]
    )
