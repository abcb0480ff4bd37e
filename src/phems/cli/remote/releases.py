"""Release requests, outputs and output checks of a node at an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from phems.cli.ports import Told
from phems.cli.remote.api import NodeApi, part
from phems.cli.remote.package import receive_package
from phems.domain.actors import Actor
from phems.domain.output_checks import CheckReport
from phems.domain.outputs import Output
from phems.domain.release_history import HistoryEvent
from phems.domain.votes import Vote
from phems.services.release_asks import AskedGroup, Choice
from phems.services.release_summaries import ReleaseLine, ReleaseSummary

_CHECKING = "asking: the node freezes and checks the files"


class RemoteReleases:
    """`ReleasePort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def request(
        self, _actor: Actor, project: str, groups: Sequence[AskedGroup], told: Told
    ) -> ReleaseSummary:
        """Ask for a release."""
        told(_CHECKING)
        return self._summary(self._api.post(f"/projects/{part(project)}/release-requests", _asked(groups)))

    def resubmit(self, _actor: Actor, name: str, groups: Sequence[AskedGroup], told: Told) -> ReleaseSummary:
        """Ask again, in a new turn."""
        told(_CHECKING)
        return self._act(name, "resubmit", _asked(groups))

    def submit(self, _actor: Actor, name: str, told: Told) -> ReleaseSummary:
        """Submit a request that stayed PENDING."""
        told(_CHECKING)
        return self._act(name, "submit", {})

    def list(self, _actor: Actor, project: str) -> Sequence[ReleaseLine]:
        """Every request of a project, newest first."""
        rows = self._api.pages(f"/projects/{part(project)}/release-requests")
        return [self._api.decode(ReleaseLine, row) for row in rows]

    def show(self, _actor: Actor, name: str, *, turn: int | None = None) -> ReleaseSummary:
        """One request, or one turn of it."""
        return self._summary(self._api.get(_request(name), turn=turn))

    def history(self, _actor: Actor, name: str) -> Sequence[HistoryEvent]:
        """All that was done to it and that may be seen."""
        return [self._api.decode(HistoryEvent, row) for row in self._api.get(f"{_request(name)}/history")]

    def read_file(self, _actor: Actor, name: str, path: str, *, turn: int | None = None) -> Iterator[bytes]:
        """The frozen bytes of a file."""
        return self._api.file(f"{_request(name)}/file", path=path, turn=turn)

    def comment(
        self, _actor: Actor, name: str, text: str, *, private: bool, group: str | None
    ) -> ReleaseSummary:
        """Say something about it."""
        return self._act(name, "comment", {"text": text, "private": private, "group": group})

    def vote(
        self,
        _actor: Actor,
        name: str,
        votes: Mapping[str, Vote],
        *,
        justification: str,
        reason: str,
        turn: int,
    ) -> ReleaseSummary:
        """Vote on files of the turn that was looked at."""
        ballots = [
            {"path": path, "vote": vote.value, "justification": justification, "reason": reason}
            for path, vote in votes.items()
        ]
        return self._act(name, "vote", {"turn": turn, "votes": ballots})

    def approve(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Let its approved files go."""
        return self._decide(actor, name, "approve", reason)

    def reject(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Refuse it."""
        return self._decide(actor, name, "reject", reason)

    def return_(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Give it back to its author."""
        return self._decide(actor, name, "return", reason)

    def withdraw(self, _actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Take it back."""
        return self._act(name, "withdraw", {"reason": reason})

    def withdraw_file(self, _actor: Actor, name: str, path: str) -> ReleaseSummary:
        """Take a file out of it."""
        return self._act(name, "withdraw-file", {"path": path})

    def revoke(self, _actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Take its approval or release back."""
        return self._act(name, "revoke", {"reason": reason})

    def download(self, _actor: Actor, name: str, target: Path) -> Path:
        """Its package as `target/<name>`, verified."""
        key = self._api.get("/keys")["release"]
        return receive_package(
            name, target, fetched=lambda: self._api.file(f"{_request(name)}/package"), key=key
        )

    def _decide(self, actor: Actor, name: str, verb: str, reason: str) -> ReleaseSummary:
        # A decision names the turn: the one of this moment, as on the node's folder.
        turn = self.show(actor, name).turn
        return self._act(name, verb, {"turn": turn, "reason": reason})

    def _act(self, name: str, verb: str, body: Mapping[str, Any]) -> ReleaseSummary:
        return self._summary(self._api.post(f"{_request(name)}/{verb}", body))

    def _summary(self, row: Any) -> ReleaseSummary:
        return self._api.decode(ReleaseSummary, row)


class RemoteOutputs:
    """`OutputPort` and `CheckPort` over the API."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    def list(self, _actor: Actor, project: str, run_id: str | None = None) -> Sequence[Output]:
        """The outputs of a project, the last registered first."""
        rows = self._api.pages(f"/projects/{part(project)}/outputs", run=run_id)
        return [self._api.decode(Output, row) for row in rows]

    def rehearse(self, _actor: Actor, project: str, choice: Choice) -> CheckReport:
        """Have the output checks run."""
        body = {"run": choice.run_id, "files": list(choice.files)}
        return self._api.decode(CheckReport, self._api.post(f"/projects/{part(project)}/outputs/check", body))


def _request(name: str) -> str:
    return f"/release-requests/{part(name)}"


def _asked(groups: Sequence[AskedGroup]) -> dict[str, Any]:
    return {
        "groups": [
            {
                "name": group.name,
                "context": group.case.context,
                "controls": group.case.controls,
                "run": group.outputs.run_id,
                "model": group.outputs.model,
                "files": list(group.outputs.files),
                "supporting": list(group.supporting),
                "code": list(group.code),
            }
            for group in groups
        ]
    }
