"""One node, asked on its folder and at its address: programs read the same JSON, people the same refusals."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.integration.api.api_site import HUB, OTHER, PROJECT, ApiSite
from tests.integration.api.stories import TABLE, released, told


@pytest.fixture
def both(site: ApiSite, url: str, phems: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Types a command as one person in both forms; gives what was said on the folder, and at the address."""
    # What is open already needs no second start: the command joins the database of this node.
    from contextlib import contextmanager

    @contextmanager
    def opened(_folder: Path) -> Any:
        yield site.node

    monkeypatch.setattr("phems.bootstrap.open_node", opened)

    def type_(who: str, *words: str) -> tuple[Any, Any]:
        token = ("--token", site.tokens[who])
        return tuple(phems("--node", node, *token, *words) for node in (str(site.folder), url))  # type: ignore[return-value]

    return type_


def test_what_is_read_is_the_same_json_in_both_forms(site: ApiSite, both: Any) -> None:
    """A script from the node's machine must work on a person's own, and the other way round."""
    story = told(site)
    request = released(site, run="run-9")["id"]
    commit = story.names["commit"]
    site.node.code_revisions.approve(_actor("iris"), PROJECT, commit, note="read")
    reads = [
        ("ana", "code", "list", "-p", PROJECT),
        ("ana", "code", "show", "-p", PROJECT, commit[:12]),
        ("ana", "code", "diff", "-p", PROJECT, commit, "--patch"),
        ("ana", "code", "diff", "-p", PROJECT, commit, "--file", "uv.lock"),
        ("ana", "capsule", "list", "-p", PROJECT),
        ("ana", "release", "list", "-p", PROJECT),
        ("ana", "release", "show", request),
        ("omar", "release", "show", story.names["request"]),
        ("omar", "lineage", "show", request, "-p", PROJECT),
        ("aud", "lineage", "show", hashlib.sha256(TABLE).hexdigest(), "-p", PROJECT),
        ("ana", "release", "history", request),
        ("ana", "release", "check", "-p", PROJECT, "--run", "run-9"),
        ("olga", "policy", "list", "-p", PROJECT),
        ("olga", "user", "list"),
        ("olga", "user", "key", "iris"),
        ("iris", "user", "key", "iris", "--export-public"),
        ("ana", "user", "tokens", "ana"),
        ("ana", "user", "sessions", "ana"),
        ("olga", "coordinator", "list"),
        ("aud", "audit", "verify"),
        ("aud", "audit", "anchors"),
        ("aud", "audit", "checkpoint", "--key"),
        ("aud", "audit", "prove", "1"),
    ]
    differing = []
    for who, *words in reads:
        here, there = both(who, "--json", *words)
        if (here.code, here.err) != (there.code, there.err) or _lasting(here.data) != _lasting(there.data):
            differing.append((words, here, there))
    assert differing == []


def test_a_refusal_is_the_same_in_both_forms(site: ApiSite, both: Any) -> None:
    """Otherwise the remedy that is told at the address is not the one that helps."""
    told(site)
    for who, *words in (
        ("nobody", "code", "list", "-p", PROJECT),
        ("ana", "code", "list", "-p", "no-such-project"),
        ("ana", "release", "show", "rr-aaaaaaaa"),
        ("ana", "lineage", "show", "rr-aaaaaaaa", "-p", PROJECT),
        ("ana", "user", "list"),
        ("ana", "audit", "tail"),
        ("ana", "user", "token", "omar"),
        ("ana", "policy", "reload"),
        ("aud", "audit", "prove", "999999"),
        ("olga", "coordinator", "token", "stranger"),
        ("olga", "user", "password", "stranger"),
        ("ana", "user", "link", "omar", "subject"),
        ("olga", "user", "link", "omar", "subject"),
        ("ana", "user", "reset-second-factor", "omar"),
        ("olga", "user", "reset-second-factor", "omar"),
        ("olga", "user", "reset-second-factor", "olga"),
    ):
        here, there = both(who, "--json", *words)
        assert here.code == there.code != 0, words
        # Each reading adds entries to the log: how many there are is not compared.
        assert re.sub(r"\d+ signed", "", str(here.error)) == re.sub(r"\d+ signed", "", str(there.error)), (
            words
        )


def test_what_the_node_does_is_told_as_far_as_it_is_ones_own(site: ApiSite, url: str, phems: Any) -> None:
    """An operator sees every host; a member of one project learns nothing of another's."""
    hosts = [
        {"project": project, "pid": 7, "state": "READY", "is_current": True, "code_digest": "0" * 64}
        | {"running_steps": 0, "restarts": 0, "load_seconds": 1.0, "error": None}
        for project in (PROJECT, OTHER)
    ]
    says = {"pid": os.getpid(), "url": url, "sandbox": "bubblewrap", "runs": 3, "warnings": ["look here"]}
    says |= {"hosts": hosts, "queues": {OTHER: {"waiting": 9, "running": 1}}}
    says |= {"lag": {OTHER: 2.0}, "workers": []}
    site.node.paths.status.write_text(json.dumps(says), encoding="utf-8")
    ana = phems("--node", url, "--token", site.tokens["ana"], "status", "--json").data
    assert [host["project"] for host in ana["hosts"]] == [PROJECT]
    assert (ana["pid"], ana["runs"], ana["queues"], ana["warnings"]) == (None, None, {}, [])
    olga = phems("--node", url, "--token", site.tokens["olga"], "status")
    assert OTHER in olga.out
    assert "look here" in olga.err
    assert phems("--node", url, "--token", site.tokens["nobody"], "status", "--json").data["hosts"] == []


def test_acts_on_people_and_what_they_say_at_the_address(
    site: ApiSite, url: str, phems: Any, tmp_path: Path
) -> None:
    """An operator without an account on the node's machine still has to do all of an operator's work."""
    olga = ("--node", url, "--token", site.tokens["olga"], "--json")
    added = phems(*olga, "user", "add", "new", "--password-stdin", stdin="words that nobody knows\n").data
    assert (added["name"], added["has_password"], added["roles"]) == ("new", True, [])
    made = phems(*olga, "user", "token", "new", "--days", "3", "--read-only", "--label", "laptop").data
    assert site.node.users.authenticate_token(made["token"]).actor.name == "new"
    [row] = phems(*olga, "user", "tokens", "new").data
    assert row["label"] == "laptop"
    assert phems(*olga, "user", "revoke-token", "new", row["id"]).code == 0
    assert phems(*olga, "user", "key", "new", "--new").data["held_by"] == "node"
    assert phems(*olga, "user", "key", "new", "--revoke", "--reason", "Lost").data["state"] == "REVOKED"
    assert phems(*olga, "coordinator", "token", HUB).data["coordinator"] == HUB
    assert phems(*olga, "coordinator", "revoke", HUB).data["tokens_ended"] == 2
    assert "in_force" in phems(*olga, "policy", "reload").data
    file = tmp_path / "audit.jsonl"
    assert phems(*olga, "audit", "export", "--out", str(file)).code == 0
    assert phems("audit", "verify", str(file), "--json").data["entries"] > 0
    assert phems(*olga, "release", "key").data["public_key"] == site.node.release_key.public_key


def test_a_downloaded_package_verifies_and_a_changed_one_is_not_kept(
    site: ApiSite, url: str, phems: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What arrives at a person's machine is what was reviewed, or nothing is there."""
    name = released(site)["id"]
    ana = ("--node", url, "--token", site.tokens["ana"])
    assert phems(*ana, "release", "download", name, "--out", "got").code == 0
    key = site.node.release_key.public_key
    assert phems("release", "verify", f"got/{name}", "--key", key).code == 0
    assert phems(*ana, "release", "download", name, "--out", "got").code == 2
    from phems.cli.remote.connection import NodeConnection

    chunks = NodeConnection._chunks

    def changed(self: Any, response: Any) -> Any:
        for chunk in chunks(self, response):
            yield chunk.replace(b"m,140", b"m,141")

    monkeypatch.setattr(NodeConnection, "_chunks", changed)
    said = phems(*ana, "release", "download", name, "--out", "other")
    assert (said.code, "SHA-256" in said.err) == (6, True), said.err
    assert list((tmp_path / "other").iterdir()) == []


def _actor(name: str) -> Any:
    from phems.domain.actors import Actor

    return Actor(name)


def _lasting(data: Any) -> Any:
    """Without what each reading changes: it is on record, and a token was used."""
    if isinstance(data, list):
        return [_lasting(each) for each in data]
    if isinstance(data, dict):
        changing = {"last_used_at", "entries", "checkpoint", "size", "hashes", "text"}
        return {name: _lasting(value) for name, value in data.items() if name not in changing}
    return data
