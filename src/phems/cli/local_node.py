"""`LocalNode`: the node in a folder of this machine, as commands see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phems.cli import local_operator, session
from phems.cli.ports import PoliciesTakenUp, ProjectRow, PublicKey, Told
from phems.errors import UnavailableError
from phems.nodespec import load_node
from phems.services.release_summaries import ReleaseLine, ReleaseSummary, line_of, summary_of

if TYPE_CHECKING:
    from phems.bootstrap import Node
    from phems.cli.ports import (
        AnchorPort,
        AuditPort,
        CapsulePort,
        CheckPort,
        CodePort,
        CoordinatorPort,
        DiffPort,
        KeyPort,
        LineagePort,
        OutputPort,
        PolicyPort,
        ReleasePort,
        ReplayPort,
    )
    from phems.cli.user_ports import UserPort
    from phems.domain.actors import Actor
    from phems.domain.permissions import Verb
    from phems.domain.policy_versions import PolicyRecord
    from phems.domain.release_history import HistoryEvent
    from phems.domain.votes import Vote
    from phems.services.release_asks import AskedGroup
    from phems.services.releases import Releases


class LocalNode:
    """`NodePort` over the use cases themselves."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def code_revisions(self) -> CodePort:
        """Code revisions."""
        return self._node.code_revisions

    @property
    def code_diffs(self) -> DiffPort:
        """What they change."""
        return self._node.code_diffs

    @property
    def lineages(self) -> LineagePort:
        """Where files come from."""
        return self._node.lineages

    @property
    def capsules(self) -> CapsulePort:
        """Run capsules."""
        return self._node.capsules

    @property
    def policies(self) -> PolicyPort:
        """Policy versions."""
        return LocalPolicies(self._node)

    @property
    def releases(self) -> ReleasePort:
        """Release requests."""
        return LocalReleases(self._node.releases)

    @property
    def outputs(self) -> OutputPort:
        """Outputs of runs."""
        return self._node.outputs

    @property
    def output_checks(self) -> CheckPort:
        """Output checks."""
        return self._node.output_checks

    @property
    def audit(self) -> AuditPort:
        """The audit log."""
        return self._node.audit

    @property
    def anchoring(self) -> AnchorPort | None:
        """Its outside anchors; None when there are none."""
        return self._node.anchoring

    @property
    def replays(self) -> ReplayPort:
        """Past decisions."""
        return self._node.replays

    @property
    def coordinators(self) -> CoordinatorPort:
        """Federation coordinators."""
        return self._node.coordinators

    @property
    def approver_keys(self) -> KeyPort:
        """Approvers' keys."""
        return self._node.approver_keys

    @property
    def users(self) -> UserPort:
        """Users."""
        from phems.cli.local_users import LocalUsers

        return LocalUsers(self._node)

    def acting(self, verb: Verb | None = None) -> Actor:
        """Who acts: by the token; for what is the node's own without one, the local operator."""
        if verb is None:
            return self._node.actor_from_token(session.token())
        return local_operator.acting(self._node, verb)

    def acting_for(self, name: str, what: str | None = None) -> Actor:
        """Who acts on what is a user's: they themselves, or who manages users."""
        from phems.domain.authority import check_unlimited
        from phems.services.membership import current_authority

        if session.has_token() and (actor := self.acting()).name == name:
            if what is not None:
                check_unlimited(current_authority.get(), what)
            return actor
        return self.acting("user.manage")


class LocalFolder:
    """`FolderPort`: what the node's folder says without its database, which may not be there yet."""

    def release_key(self) -> PublicKey:
        """The key that this node signs release packages with."""
        from phems.adapters.signing import RELEASE_KEY, key_id, load_or_create_key

        _, paths = session.load_node()
        public = load_or_create_key(paths.keys, RELEASE_KEY).public_key
        return PublicKey(public, key_id(public), paths.keys / f"{RELEASE_KEY}.pub.pem")

    def projects(self) -> Sequence[ProjectRow]:
        """The projects in node.yaml."""
        spec, _ = session.load_node()
        return [
            ProjectRow(
                name=name,
                title=project.title,
                repo=project.code.repo,
                branch=project.code.branch,
                policy=project.policy,
                data_grants=tuple(grant.source for grant in project.data_grants),
                data_analysts=project.members.data_analyst,
                output_checkers=project.members.output_checker,
                information_asset_owners=project.members.information_asset_owner,
            )
            for name, project in spec.projects.items()
        ]

    def status(self) -> Mapping[str, Any]:
        """What the node does now."""
        from phems.adapters.status_file import read_status

        _, paths = session.load_node()
        found = read_status(paths.status)
        if found is None:
            raise UnavailableError(
                "The node does not run.", why=f"Nothing serves {paths.data_dir}.", remedy="phems serve"
            )
        return found


class LocalPolicies:
    """`PolicyPort` over the use cases."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def list(self, actor: Actor, scope: str) -> Sequence[PolicyRecord]:
        """All versions of a scope."""
        return self._node.policies.list(actor, scope)

    def show(self, actor: Actor, scope: str, number: int | None = None) -> PolicyRecord:
        """A version; without a number the one in force."""
        return self._node.policies.show(actor, scope, number)

    def diff(self, actor: Actor, scope: str, number: int) -> Mapping[str, Any]:
        """What a version changes."""
        return self._node.policies.diff(actor, scope, number).as_json()

    def approve(self, actor: Actor, scope: str, number: int) -> PolicyRecord:
        """Confirm a version."""
        return self._node.policies.approve(actor, scope, number)

    def reject(self, actor: Actor, scope: str, number: int, *, reason: str) -> PolicyRecord:
        """Refuse a version."""
        return self._node.policies.reject(actor, scope, number, reason=reason)

    def reload(self, actor: Actor) -> PoliciesTakenUp:
        """Read node.yaml again."""
        waiting = self._node.take_up(actor, load_node(self._node.paths.folder), ask_again=True)
        return PoliciesTakenUp(
            in_force={scope or "node": label for scope, label in self._node.policy_versions.items()},
            waiting=[
                {
                    "scope": found.scope or "node",
                    "number": found.number,
                    "loosens": [change.as_json() for change in found.loosens],
                }
                for found in waiting
            ],
            told=[found.as_text() for found in waiting],
        )


class LocalReleases:
    """`ReleasePort` over the use cases: views as what may be seen of them."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    def request(self, actor: Actor, project: str, groups: Sequence[AskedGroup], told: Told) -> ReleaseSummary:
        """Ask for a release."""
        return summary_of(self._releases.request_groups(actor, project, groups, told=told))

    def resubmit(self, actor: Actor, name: str, groups: Sequence[AskedGroup], told: Told) -> ReleaseSummary:
        """Ask again, in a new turn."""
        return summary_of(self._releases.resubmit_groups(actor, name, groups, told=told))

    def submit(self, actor: Actor, name: str, told: Told) -> ReleaseSummary:
        """Submit a request that stayed PENDING."""
        return summary_of(self._releases.submit(actor, name, told=told))

    def list(self, actor: Actor, project: str) -> Sequence[ReleaseLine]:
        """Every request of a project."""
        return [line_of(view) for view in self._releases.list(actor, project)]

    def show(self, actor: Actor, name: str, *, turn: int | None = None) -> ReleaseSummary:
        """One request, or one turn of it."""
        return summary_of(self._releases.show(actor, name, turn=turn))

    def history(self, actor: Actor, name: str) -> Sequence[HistoryEvent]:
        """All that was done to it."""
        return self._releases.history(actor, name)

    def read_file(self, actor: Actor, name: str, path: str, *, turn: int | None = None) -> Iterable[bytes]:
        """The frozen bytes of a file."""
        return self._releases.read_file(actor, name, path, turn=turn)

    def comment(
        self, actor: Actor, name: str, text: str, *, private: bool, group: str | None
    ) -> ReleaseSummary:
        """Say something about it."""
        return summary_of(self._releases.comment(actor, name, text, private=private, group=group))

    def vote(
        self,
        actor: Actor,
        name: str,
        votes: Mapping[str, Vote],
        *,
        justification: str,
        reason: str,
        turn: int,
    ) -> ReleaseSummary:
        """Vote on files."""
        told = {"justification": justification, "reason": reason}
        return summary_of(self._releases.vote(actor, name, dict(votes), turn=turn, **told))

    def approve(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Let its approved files go."""
        return summary_of(self._releases.approve(actor, name, reason=reason))

    def reject(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Refuse it."""
        return summary_of(self._releases.reject(actor, name, reason=reason))

    def return_(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Give it back."""
        return summary_of(self._releases.return_(actor, name, reason=reason))

    def withdraw(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Take it back."""
        return summary_of(self._releases.withdraw(actor, name, reason=reason))

    def withdraw_file(self, actor: Actor, name: str, path: str) -> ReleaseSummary:
        """Take a file out of it."""
        return summary_of(self._releases.withdraw_file(actor, name, path))

    def revoke(self, actor: Actor, name: str, *, reason: str) -> ReleaseSummary:
        """Take its approval or release back."""
        return summary_of(self._releases.revoke(actor, name, reason=reason))

    def download(self, actor: Actor, name: str, target: Path) -> Path:
        """Its package, verified."""
        return self._releases.download(actor, name, target)
