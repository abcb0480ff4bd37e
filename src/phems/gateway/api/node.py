"""What the running node does now: to operators all of it, to others what is their projects'."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from phems import __version__
from phems.adapters.status_file import read_status
from phems.domain.permissions import may
from phems.errors import UnavailableError
from phems.gateway.api.asking import SIGNED_IN, Cases, Person, row

router = APIRouter(tags=["node"])


class RunningNode(BaseModel):
    """The running node. What is null, or left out of the lists, is for operators or for other projects."""

    url: str
    version: str
    pid: int | None
    sandbox: str
    runs: int | None = Field(description="How many are on their way, in all projects.")
    hosts: list[dict[str, Any]] = Field(description="The project hosts.")
    queues: dict[str, dict[str, int]] = Field(description="Steps that wait and run, by project.")
    lag: dict[str, float] = Field(description="For how many seconds a project's oldest step has waited.")
    workers: list[dict[str, Any]] = Field(description="Worker processes, of the server profile.")
    warnings: list[str]


@router.get("/node", **row("node.show", SIGNED_IN))
def show(cases: Cases, person: Person) -> RunningNode:
    """What the running node does now."""
    found = read_status(cases.paths.status)
    if found is None:
        raise UnavailableError(
            "The node has not said yet what it does.", why="it has just started.", remedy="Try again."
        )
    operates = may(cases.roles_in(person.name), "node.operate")
    seen = {name for name in cases.spec.projects if may(cases.roles_in(person.name, name), "project.read")}
    return RunningNode(
        url=found["url"],
        version=__version__,
        pid=found["pid"] if operates else None,
        sandbox=found["sandbox"],
        runs=found["runs"] if operates else None,
        hosts=[_host(host, operates=operates) for host in found["hosts"] if host["project"] in seen],
        queues={name: depth for name, depth in found["queues"].items() if name in seen},
        lag={name: seconds for name, seconds in found["lag"].items() if name in seen},
        workers=found["workers"] if operates else [],
        warnings=found["warnings"] if operates else [],
    )


def _host(host: dict[str, Any], *, operates: bool) -> dict[str, Any]:
    return host if operates else {**host, "pid": None}
