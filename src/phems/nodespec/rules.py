"""Rules of a node spec that reach over several of its parts: what refers to what, who is enough.

Each rule is a generator over a whole spec. `reads` names the locations a finding rests on: when one
of them could not be read, the finding would be a guess, and `phems.nodespec.check` drops it.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath

from phems.nodespec.document import Loc
from phems.nodespec.findings import Finding
from phems.nodespec.gateway_rules import public_address_is_served, remote_gateway_is_meant
from phems.nodespec.gitops_rules import (
    argo_cd_has_a_namespace_of_its_own,
    what_argo_cd_delivers_is_a_cluster_s,
)
from phems.nodespec.kubernetes_rules import (
    clusters_are_described,
    clusters_have_a_namespace_for_each_project,
    clusters_have_the_sizes_that_steps_name,
    pods_wait_on_clusters_alone,
)
from phems.nodespec.models import DEFAULT_POLICY, NodeSpec
from phems.nodespec.policies import Policy
from phems.nodespec.profile_rules import servers_have_a_broker
from phems.nodespec.projects import Members
from phems.nodespec.worker_rules import worker_metrics_are_meant

Listed = tuple[Loc, Sequence[str]]


def broken_rules(spec: NodeSpec) -> list[Finding]:
    """Every finding of every rule."""
    return [finding for rule in RULES for finding in rule(spec)]


def _meant(name: str, known: Sequence[str], otherwise: str) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else otherwise


def grants_name_registered_sources(spec: NodeSpec) -> Iterator[Finding]:
    for name, project in spec.projects.items():
        for index, grant in enumerate(project.data_grants):
            if grant.source in spec.data_sources:
                continue
            yield Finding(
                ("projects", name, "data_grants", index, "source"),
                f"{grant.source} is not registered",
                f"data_sources has {', '.join(spec.data_sources) or 'nothing'}",
                _meant(grant.source, list(spec.data_sources), "register it under data_sources"),
                (("data_sources", grant.source),),
            )


def projects_name_known_policies(spec: NodeSpec) -> Iterator[Finding]:
    known = sorted({DEFAULT_POLICY, *spec.policies})
    for name, project in spec.projects.items():
        if project.policy not in known:
            yield Finding(
                ("projects", name, "policy"),
                f"there is no policy {project.policy}",
                f"policies has {', '.join(known)}",
                _meant(project.policy, known, "write it under policies"),
                (("policies", project.policy),),
            )


def enough_people_decide(spec: NodeSpec) -> Iterator[Finding]:
    """As many checkers and owners as the policy asks for, the author of what they decide on not counted."""
    for name, project in spec.projects.items():
        if project.policy != DEFAULT_POLICY and project.policy not in spec.policies:
            continue
        policy = spec.policy_of(name)
        members = project.members
        for role, people, needed, asked in (
            ("output_checker", members.output_checker, policy.votes, "votes"),
            ("information_asset_owner", members.information_asset_owner, policy.approvals, "approvals"),
        ):
            # An author decides nothing on their own work: with no analysts yet, nobody is taken away.
            left = {author: set(people) - {author} for author in members.data_analyst} or {"": set(people)}
            if role in by_group(spec, name):
                continue  # how many people a group has, the identity provider knows
            short = [author for author, others in left.items() if len(others) < needed]
            if not short:
                continue
            # That a person is listed twice has a rule of its own.
            author = short[0]
            lower = needed > Policy.model_fields[asked].default
            own = f", {author} not counted on their own work" if author in people else ""
            yield Finding(
                ("projects", name, "members", role),
                f"has {len(left[author])} of {needed}",
                f"policy {project.policy} asks for {needed} {asked}{own}",
                f"add people, or lower {asked} in the policy" if lower else "add people",
                (("projects", name, "members"), ("policies", project.policy), ("projects", name, "policy")),
            )


def by_group(spec: NodeSpec, project: str) -> frozenset[str]:
    """The roles in a project that some group of the identity provider has."""
    return frozenset(
        role for given in spec.identity.groups.values() for role in given.projects.get(project, ())
    )


def groups_are_of_projects(spec: NodeSpec) -> Iterator[Finding]:
    known = list(spec.projects)
    for group, given in spec.identity.groups.items():
        for project in given.projects:
            if project not in known:
                yield Finding(
                    ("identity", "groups", group, "projects", project),
                    f"there is no project {project}",
                    f"projects has {', '.join(known) or 'nothing'}",
                    _meant(project, known, "write it under projects"),
                    (("projects", project),),
                )
        if "auditor" in given.roles and (given.projects or len(given.roles) > 1):
            yield Finding(
                ("identity", "groups", group, "roles"),
                "gives auditors another role",
                "an auditor reads the audit log and holds no other role, or would audit themselves",
                "take a group of their own for auditors",
            )


def groups_come_from_a_provider(spec: NodeSpec) -> Iterator[Finding]:
    if spec.identity.groups and spec.identity.oidc is None:
        yield Finding(
            ("identity", "groups"),
            "nobody says who is in them",
            "there is no identity.oidc",
            "write identity.oidc, or take the groups out",
            (("identity", "oidc"),),
        )


def enough_organisations_approve(spec: NodeSpec) -> Iterator[Finding]:
    """As many organisations among a project's owners as its policy asks for, whoever the author is."""
    organisation = spec.organisation_of()
    for name, project in spec.projects.items():
        if project.policy != DEFAULT_POLICY and project.policy not in spec.policies:
            continue
        policy = spec.policy_of(name)
        if not policy.approvals_from_different_organisations:
            continue
        if "information_asset_owner" in by_group(spec, name):
            continue
        for author in project.members.data_analyst or ("",):
            owners = set(project.members.information_asset_owner) - {author}
            found = {organisation[owner] for owner in owners if owner in organisation}
            # That there are too few people has a rule of its own.
            if len(found) < policy.approvals <= len(owners):
                yield Finding(
                    ("projects", name, "members", "information_asset_owner"),
                    f"come from {len(found)} of {policy.approvals} organisations",
                    f"policy {project.policy} wants each approval from another organisation",
                    "add people of other organisations, or name their organisation under organisations",
                    (("projects", name), ("policies", project.policy), ("organisations",)),
                )
                break


def people_have_one_organisation(spec: NodeSpec) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, people in spec.organisations.items():
        for index, person in enumerate(people):
            if person in seen:
                yield Finding(
                    ("organisations", name, index),
                    f"{person} is of {seen[person]} too",
                    "one person must not count for two organisations",
                    "keep one",
                )
            seen.setdefault(person, name)


def _people(spec: NodeSpec) -> Iterator[Listed]:
    """Every list of people who hold a role, auditors aside."""
    yield ("roles", "operator"), spec.roles.operator
    for name, project in spec.projects.items():
        for role in Members.model_fields:
            yield ("projects", name, "members", role), getattr(project.members, role)


def nothing_is_listed_twice(spec: NodeSpec) -> Iterator[Finding]:
    auditors: Listed = (("roles", "auditor"), spec.roles.auditor)
    types: list[Listed] = [
        (("policies", name, "file_types"), policy.file_types) for name, policy in spec.policies.items()
    ]
    grants: list[Listed] = [
        (("projects", name, "data_grants"), [grant.source for grant in project.data_grants])
        for name, project in spec.projects.items()
    ]
    for loc, items in [auditors, *_people(spec), *types, *grants]:
        for index, item in enumerate(items):
            if item in items[:index]:
                yield Finding((*loc, index), f"{item} is listed twice", "once is enough", "remove one")


def sources_are_files_of_their_own(spec: NodeSpec) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, source in spec.data_sources.items():
        path = os.path.normpath(source.path)
        if path in seen:
            yield Finding(
                ("data_sources", name, "path"),
                f"{source.path} is registered twice",
                f"data source {seen[path]} is the same file, so a grant of one would give the other",
                "remove one of them",
            )
        seen.setdefault(path, name)
        for key in ("data_dir", "release_zone"):
            if _overlap(path, os.path.normpath(getattr(spec, key))):
                yield Finding(
                    ("data_sources", name, "path"),
                    f"{source.path} overlaps {key}",
                    "project code could read keys or other projects' files",
                    f"move the data out of {getattr(spec, key)}",
                    ((key,),),
                )


def projects_have_code_of_their_own(spec: NodeSpec) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], str] = {}
    for name, project in spec.projects.items():
        code = project.code
        key = (code.repo.rstrip("/"), code.branch, os.path.normpath(code.root))
        if key in seen:
            yield Finding(
                ("projects", name, "code", "repo"),
                "is the code of another project",
                f"project {seen[key]} has the same repo, branch and root, and their assets would share names",
                "give each project a Code Repo, a branch or a root of its own",
            )
        seen.setdefault(key, name)


def folders_are_apart(spec: NodeSpec) -> Iterator[Finding]:
    if _overlap(os.path.normpath(spec.data_dir), os.path.normpath(spec.release_zone)):
        yield Finding(
            ("release_zone",),
            f"{spec.release_zone} overlaps data_dir",
            "what is released must not lie with what is not",
            "name a folder outside data_dir, such as releases",
            (("data_dir",),),
        )


def auditors_only_audit(spec: NodeSpec) -> Iterator[Finding]:
    auditors = set(spec.roles.auditor)
    for loc, people in _people(spec):
        for index, person in enumerate(people):
            if person in auditors:
                yield Finding(
                    (*loc, index),
                    f"{person} is an auditor",
                    "an auditor reads the audit log and holds no other role, or would audit themselves",
                    "take the person out of here or out of roles.auditor",
                    (("roles", "auditor"),),
                )


def database_fits(spec: NodeSpec) -> Iterator[Finding]:
    url = spec.database.url
    if url is None:
        if spec.profile != "embedded":
            yield Finding(
                ("database", "url"),
                "is missing",
                f"profile {spec.profile} has no Postgres of its own",
                "write database: {url: env:PHEMS_DATABASE_URL}",
                (("profile",),),
            )
    elif not url.startswith(("postgresql://", "postgresql+psycopg2://", "env:")) or url == "env:":
        yield Finding(
            ("database", "url"),
            "is not the address of a Postgres",
            "the node keeps its metadata in Postgres alone",
            "write postgresql://host/database, or env:NAME to read it from the environment",
        )


def _overlap(one: str, other: str) -> bool:
    # A relative path and an absolute one are told apart on disk alone: adapters.node_check does.
    first, second = PurePosixPath(one), PurePosixPath(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


RULES: Sequence[Callable[[NodeSpec], Iterator[Finding]]] = (
    grants_name_registered_sources,
    projects_name_known_policies,
    enough_people_decide,
    enough_organisations_approve,
    people_have_one_organisation,
    nothing_is_listed_twice,
    sources_are_files_of_their_own,
    projects_have_code_of_their_own,
    folders_are_apart,
    remote_gateway_is_meant,
    public_address_is_served,
    auditors_only_audit,
    groups_are_of_projects,
    groups_come_from_a_provider,
    database_fits,
    servers_have_a_broker,
    worker_metrics_are_meant,
    clusters_are_described,
    clusters_have_a_namespace_for_each_project,
    clusters_have_the_sizes_that_steps_name,
    pods_wait_on_clusters_alone,
    what_argo_cd_delivers_is_a_cluster_s,
    argo_cd_has_a_namespace_of_its_own,
)
