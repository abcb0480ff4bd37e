"""What the demo's chapters share: people who act by commands, waiting, and looking at what came of it.

The story runs commands with people's tokens and reads their JSON. Nothing is looked up behind the node's back
but files, to compare their bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phems.cli.demo_node import DemoNode
from phems.cli.demo_terminal import Teller

RUN_SECONDS = 90.0


@dataclass
class Story:
    """What the chapters share."""

    node: DemoNode
    teller: Teller
    analysis: str = ""
    risk: str = ""
    bootstrap: str = ""
    request: str = ""

    def act(self, who: str, *words: str, refused: bool = False) -> Any:
        """Type a command; what it gives. A failure ends the demo, unless the story wants the refusal."""
        self.teller.command(who, "phems " + " ".join(_quoted(word) for word in words))
        code, result = self.node.act(who, *words)
        if refused:
            return code, error_of(result)
        if code:
            self.teller.fail(f"the node did not do it: {error_of(result)}", seen=result)
        return result

    def wait_for(self, what: str, holds: Callable[[], Any], seconds: float) -> Any:
        """Wait until something holds, showing what is waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = holds()
            if found:
                return found
            self.teller.progress(f"waiting for {what}")
            time.sleep(0.1)
        return None


def run_of(story: Story, who: str, project: str, job: str) -> dict[str, Any]:
    """Launch a job and watch it to its end: what `phems run show` says then."""
    return ended(story, who, job, launch(story, who, project, job))


def launch(story: Story, who: str, project: str, job: str) -> str:
    """Launch a job, and go on; the run's id."""
    return str(story.act(who, "run", "launch", project, job, "--no-wait")["id"])


def ended(story: Story, who: str, job: str, run_id: str) -> dict[str, Any]:
    """Watch a run to its end: what `phems run show` says then."""

    def look() -> Any:
        code, run = story.node.act(who, "run", "show", run_id)
        if code:
            return None
        done = sum(step["status"] in {"SUCCESS", "FAILURE", "SKIPPED"} for step in run["steps"])
        story.teller.progress(f"{job}: {run['status'].lower()}, {done} steps done")
        return run if run["status"] in {"SUCCESS", "FAILURE", "CANCELED"} else None

    run: dict[str, Any] = story.wait_for(job, look, RUN_SECONDS)
    if run is None:
        story.teller.fail(f"{job} did not end within {RUN_SECONDS:.0f} s", seen=run_id)
    return run


def artifacts(story: Story, project: str) -> Path:
    """A project's artifact area."""
    return story.node.node / "data" / "artifacts" / project


def host_of(story: Story, project: str) -> Any:
    """The project's host, when it has loaded its code or failed to."""
    hosts = (story.node.status() or {}).get("hosts", [])
    return next((h for h in hosts if h["project"] == project and h["state"] in {"READY", "FAILED"}), None)


def error_of(result: Any) -> str:
    """What a refused command said, in one sentence."""
    if isinstance(result, dict):
        error = result.get("error", result)
        return str(error.get("what") or error.get("why") or error) if isinstance(error, dict) else str(error)
    return str(result)


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
