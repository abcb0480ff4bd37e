"""The demo's two small projects, which lock different versions of one library: each runs with its own.

The node builds both environments from the wheels that `demo_wheels` has made, as from any others.
"""

from __future__ import annotations

import json
from functools import partial

from phems.cli.demo_acts import RUN_SECONDS, Story, artifacts, ended, host_of, launch
from phems.cli.demo_wheels import LIBRARY, LOCKED

# Each project, with its analyst and owner, the version it locks, its job, and the file that this writes.
PROJECTS = (
    ("length-of-stay", "ana", "wei", LOCKED["length-of-stay"], "count_stays", "stays.json"),
    ("tumour-grade", "ben", "ingrid", LOCKED["tumour-grade"], "count_grades", "grades.json"),
)


def approve(story: Story) -> None:
    """The code of both is submitted and approved, and with it the packages that it locks."""
    for project, author, owner, _, _, _ in PROJECTS:
        revision = story.act(author, "code", "submit", "--project", project)
        story.act(owner, "code", "approve", "--project", project, revision["commit"][:12])


def run(story: Story) -> None:
    """Both run at once, and each writes down which version it found."""
    for project, *_ in PROJECTS:
        host = story.wait_for(f"the host of {project}", partial(host_of, story, project), RUN_SECONDS)
        if not host or host["state"] != "READY":
            story.teller.fail(f"{project} is not loaded", seen=host)
    launched = [launch(story, who, project, job) for project, who, _, _, job, _ in PROJECTS]
    for run_id, (project, who, _, version, job, name) in zip(launched, PROJECTS, strict=True):
        done = ended(story, who, job, run_id)
        if done["status"] != "SUCCESS":
            story.teller.fail(f"{project} ran", seen=done)
        written = json.loads((artifacts(story, project) / "outputs" / run_id / name).read_text())
        counts = ", ".join(f"{group}: {count}" for group, count in written["patients"].items())
        story.teller.claim(
            f"{project} ran with {LIBRARY} {written[LIBRARY]} ({counts})",
            holds=written[LIBRARY] == version,
            seen=written,
        )
