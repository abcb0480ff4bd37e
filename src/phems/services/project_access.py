"""What a use case may know of a project before it acts: its rules, and whether this person may.

A project that does not exist and one that is none of the asker's business look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from phems.domain.actors import Actor
from phems.domain.approvals import ApprovalRules
from phems.domain.permissions import Role, Verb, check_may, may
from phems.errors import NotFoundError
from phems.nodespec import NodePaths, NodeSpec, OutputChecks, RemoteRepo, Thresholds


@dataclass(frozen=True)
class ProjectRules:
    """What the node spec says of one project. Sizes in bytes."""

    repo: Path | RemoteRepo
    branch: str
    policy: str
    approvals: int
    votes: int
    file_types: tuple[str, ...]
    max_file_size: int
    max_output_size: int
    needs_sandbox: bool = False
    unsigned_approvals_count: bool = False
    different_organisations: bool = False
    organisations: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=Thresholds().model_dump)
    checks: Mapping[str, Any] = field(default_factory=OutputChecks().model_dump)

    def no_looser_than(self, declared: ProjectRules) -> ProjectRules:
        """These rules, as to approvals no looser than those that node.yaml declares.

        The rules in force are in the database, node.yaml is not: who can write to the database alone cannot
        have approvals count that would not.
        """
        rules = self.approval.no_looser_than(declared.approval)
        return replace(
            self,
            approvals=rules.needed,
            unsigned_approvals_count=rules.unsigned_count,
            different_organisations=rules.different_organisations,
            organisations=rules.organisations,
        )

    @property
    def approval(self) -> ApprovalRules:
        """What approvals must be, for code revisions and run capsules alike."""
        return ApprovalRules(
            needed=self.approvals,
            unsigned_count=self.unsigned_approvals_count,
            different_organisations=self.different_organisations,
            organisations=self.organisations,
        )


class Membership(Protocol):
    """Who holds which roles, by the node spec of this moment."""

    def __call__(self, name: str, project: str) -> frozenset[Role]:
        """The roles of a person in a project, node-wide ones included; empty when they have none."""
        ...


def rules_of_spec(spec: NodeSpec, paths: NodePaths) -> Callable[[str], ProjectRules]:
    """Reads the rules of a project from the node spec; the answer raises NotFoundError without one."""

    def rules_of(name: str) -> ProjectRules:
        project, policy = spec.project(name), spec.policy_of(name)
        return ProjectRules(
            repo=paths.code_repo(project.code),
            branch=project.code.branch,
            policy=project.policy,
            approvals=policy.approvals,
            votes=policy.votes,
            file_types=policy.file_types,
            max_file_size=policy.max_file_size,
            max_output_size=project.resources.file_size,
            needs_sandbox=policy.sandbox == "required",
            unsigned_approvals_count=policy.signatures == "optional",
            different_organisations=policy.approvals_from_different_organisations,
            organisations=spec.organisation_of(),
            thresholds=policy.thresholds.model_dump(),
            checks=policy.checks.model_dump(),
        )

    return rules_of


class ProjectAccess:
    """Rules and permissions of projects, for the use cases of governance."""

    def __init__(self, rules_of: Callable[[str], ProjectRules], roles_of: Membership) -> None:
        self._rules_of = rules_of
        self._roles_of = roles_of

    def rules(self, project: str) -> ProjectRules:
        """The project's rules; for acts of the node itself, and after `check`."""
        return self._rules_of(project)

    def may(self, name: str, verb: Verb, project: str) -> bool:
        """Whether a person may do something in a project."""
        return may(self._roles_of(name, project), verb)

    def check(self, actor: Actor, verb: Verb, project: str) -> ProjectRules:
        """The project's rules when `actor` may do `verb` there.

        Raises `NotFoundError` for a project that is not there or in which the actor has no role, and
        `RefusedError` naming the roles that may.
        """
        roles = self._roles_of(actor.name, project)
        try:
            rules = self._rules_of(project)
        except NotFoundError:
            raise no_project(project) from None
        if not roles:
            raise no_project(project)
        check_may(actor.name, roles, verb, project)
        return rules


def no_project(project: str) -> NotFoundError:
    """The one answer for a project that does not exist or is none of the asker's business."""
    return NotFoundError(
        f"There is no project {project!r} here for you.",
        why="no such project exists, or you have no role in it.",
        remedy="phems project list",
    )
