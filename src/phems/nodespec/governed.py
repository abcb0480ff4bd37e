"""What of a node spec is governed: the parts that become policy versions, and the way back from them.

A version's content is plain JSON. Of a project: its policy in full, members, data grants, and where its code
comes from. Of the node: roles, what groups may do, organisations, data sources. The rest of node.yaml (ports,
folders, queues, limits of steps) is the operator's to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phems.nodespec.code import Remote
from phems.nodespec.identity import GroupRoles
from phems.nodespec.models import DataSource, NodeRoles, NodeSpec
from phems.nodespec.policies import Policy
from phems.nodespec.projects import DataGrant, Members, Project

Content = Mapping[str, Any]


def node_content(spec: NodeSpec) -> dict[str, Any]:
    """The governed content of the node as a whole."""
    return {
        "roles": _sorted_lists(spec.roles.model_dump(mode="json")),
        "organisations": spec.organisation_of(),
        "data_sources": {
            name: {"path": source.path, "format": source.format, "version": source.version}
            for name, source in spec.data_sources.items()
        },
        # A node without groups has no such part, as before there were any.
        **({"groups": _groups(spec)} if spec.identity.groups else {}),
    }


def _groups(spec: NodeSpec) -> dict[str, Any]:
    return {
        group: _sorted_lists(given.model_dump(mode="json")) for group, given in spec.identity.groups.items()
    }


def project_content(spec: NodeSpec, name: str) -> dict[str, Any]:
    """The governed content of one project."""
    project = spec.project(name)
    return {
        "policy": {"name": project.policy, **_sorted_lists(spec.policy_of(name).model_dump(mode="json"))},
        "members": _sorted_lists(project.members.model_dump(mode="json")),
        "data_grants": {
            grant.source: grant.expires.isoformat() if grant.expires else None
            for grant in project.data_grants
        },
        "code": {"repo": project.code.repo, "branch": project.code.branch},
    }


def contents_of(spec: NodeSpec) -> dict[str, dict[str, Any]]:
    """The governed content of every scope: the node's under the empty name, first, then each project's."""
    return {"": node_content(spec), **{name: project_content(spec, name) for name in spec.projects}}


def complete(content: Content) -> dict[str, Any]:
    """A stored content as this version of the software reads it: fields that are newer have their default."""
    if "policy" not in content:
        return dict(content)
    name, policy = _policy(content)
    return {**content, "policy": {"name": name, **_sorted_lists(policy.model_dump(mode="json"))}}


def in_force(declared: NodeSpec, contents: Mapping[str, Content]) -> NodeSpec:
    """The node spec with its governed parts as they are in force; `contents` by scope, the node's is "".

    A project without a content is not in force, and is left out. Titles and owners are as declared.
    """
    node = contents.get("")
    changed: dict[str, Any] = {}
    if node is not None:
        changed["roles"] = NodeRoles.model_validate(node["roles"])
        groups = {name: GroupRoles.model_validate(given) for name, given in node.get("groups", {}).items()}
        changed["identity"] = declared.identity.model_copy(update={"groups": groups})
        changed["organisations"] = _members_of(node["organisations"])
        changed["data_sources"] = {
            name: _source(declared.data_sources.get(name), content)
            for name, content in node["data_sources"].items()
        }
    sources = changed.get("data_sources", declared.data_sources)
    projects = {
        name: _project(project, contents[name], sources)
        for name, project in declared.projects.items()
        if name in contents
    }
    spec = declared.model_copy(update={**changed, "projects": projects})
    return spec.held_to({name: _policy(contents[name])[1] for name in projects})


def _members_of(organisation_of: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    names = sorted(set(organisation_of.values()))
    return {
        name: tuple(person for person, of in sorted(organisation_of.items()) if of == name) for name in names
    }


def granted_anew(before: NodeSpec, after: NodeSpec) -> list[str]:
    """The projects whose hosts find other data after a change: other grants, or other files for them."""
    return [
        name
        for name in after.projects
        if name in before.projects and _readable(before, name) != _readable(after, name)
    ]


def granted_less(before: NodeSpec, after: NodeSpec) -> list[str]:
    """Those of them that may no more read something that they could, as it was."""
    return [
        name
        for name in granted_anew(before, after)
        if any(read not in _readable(after, name) for read in _readable(before, name))
    ]


def _readable(spec: NodeSpec, project: str) -> list[tuple[DataGrant, DataSource]]:
    return [(grant, spec.data_sources[grant.source]) for grant in spec.projects[project].data_grants]


def _source(declared: DataSource | None, content: Content) -> DataSource:
    described = {} if declared is None else {"title": declared.title, "owner": declared.owner}
    return DataSource.model_validate({**described, **content})


def _project(declared: Project, content: Content, sources: Mapping[str, DataSource]) -> Project:
    code = declared.code.model_copy(update=dict(content["code"]))
    if code.repo != declared.code.repo:  # what is declared for one server is not shown to another
        code = code.model_copy(update={"remote": Remote(), "webhook_secret": None})
    grants = tuple(
        DataGrant.model_validate({"source": source, "expires": expires})
        for source, expires in content["data_grants"].items()
        if source in sources
    )
    return declared.model_copy(
        update={
            "policy": content["policy"]["name"],
            "members": Members.model_validate(content["members"]),
            "data_grants": grants,
            "code": code,
        }
    )


def _policy(content: Content) -> tuple[str, Policy]:
    fields = dict(content["policy"])
    name = fields.pop("name")
    return str(name), Policy.model_validate(fields)


def _sorted_lists(value: Any) -> Any:
    """Lists of names in one order: the order in which node.yaml has them is no rule."""
    if isinstance(value, Mapping):
        return {name: _sorted_lists(inner) for name, inner in value.items()}
    return sorted(value) if isinstance(value, list | tuple) else value
