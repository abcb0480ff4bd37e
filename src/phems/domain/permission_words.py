"""What each verb of the table of permissions lets somebody do, in plain words.

They go on after "you may"; the page on who may do what and the reference page read them.
"""

from __future__ import annotations

from collections.abc import Mapping

from phems.domain.permissions import Verb

WORDS: Mapping[Verb, str] = {
    "project.read": "see a project, its members, data grants and rules",
    "code.submit": "ask for approval of a commit of the project's code",
    "code.list": "see code revisions and what they change",
    "code.approve": "approve code that somebody else wrote",
    "code.reject": "reject a code revision",
    "code.revoke": "revoke approved code, so that later runs of it are refused",
    "capsule.list": "see what exactly a run is made of",
    "capsule.approve": "approve a run capsule that somebody else asked for",
    "capsule.reject": "reject a run capsule",
    "capsule.revoke": "revoke a run capsule's approval",
    "run.launch": "launch runs of approved code, and switch schedules and sensors",
    "run.list": "see runs and where they stand",
    "run.cancel": "end a run",
    "run.logs": "read what the project's code writes into its logs",
    "lineage.read": "follow a file back to the run, code, data and decisions behind it",
    "mlflow.read": "look at the project's experiments and models in MLflow",
    "mlflow.write": "name, tag and delete experiments, runs and models in MLflow",
    "release.request": "ask that outputs leave the node, and ask again after changes",
    "release.list": "see release requests and their files",
    "release.vote": "vote on each file of somebody else's release request",
    "release.comment": "comment on release requests",
    "release.withdraw": "take back a release request of one's own, or a file of it",
    "release.download": "download what was released",
    "release.revoke": "revoke a release, and tell those who have it",
    "policy.list": "see the versions of rules, and what each changes",
    "policy.propose": "have node.yaml read again, which proposes what in it is new",
    "policy.approve": "confirm looser rules that somebody else proposed",
    "policy.reject": "reject looser rules that somebody else proposed",
    "audit.read": "read, export and verify the audit log",
    "user.manage": "add people, set passwords, and make and end tokens, sessions and keys",
    "node.operate": "see the node's health, back it up, purge it, and switch what holds for all projects",
}
"""The words of every verb, in the order of the table."""

NOUNS: Mapping[str, str] = {
    "project": "Projects",
    "code": "Code revisions",
    "capsule": "Run capsules",
    "run": "Runs",
    "lineage": "Lineage",
    "mlflow": "MLflow",
    "release": "Outputs and releases",
    "policy": "Rules",
    "audit": "Audit log",
    "user": "People",
    "node": "The node",
}
"""What the verbs are about, by the noun that they begin with."""


def about(verb: Verb) -> str:
    """What a verb is about, as a heading."""
    return NOUNS[verb.partition(".")[0]]
