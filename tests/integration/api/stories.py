"""Something of everything, done on a node: what tests about all routes ask about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.api.api_site import HUB, PROJECT, ApiSite

RUN = "0f0e0d0c-1111-4222-8333-444455556666"
TABLE = b"sex,patients\nf,120\nm,140\n"


@dataclass
class Story:
    """The names of what there is, by the name that a path has for it."""

    names: dict[str, str] = field(default_factory=dict)
    file: str = ""

    def names_in(self, path: str) -> dict[str, str]:
        """Real names for the parameters of a path."""
        names = self._names(path)
        return {name: names[name] for name in re.findall(r"{(\w+)(?::\w+)?}", path)}

    def address(self, path: str) -> str:
        """A path of the document with real names in it."""
        names = self._names(path)
        return re.sub(r"{(\w+)(?::\w+)?}", lambda match: names[match[1]], path)

    def _names(self, path: str) -> Mapping[str, str]:
        # Whoever is shut out can ask for nothing any more: somebody who does not.
        return {**self.names, "name": "oda"} if path.endswith(("/disable", "/enable")) else self.names

    def is_for_coordinators(self, operation: Mapping[str, Any]) -> bool:
        """Whether people are refused there."""
        return bool(operation["x-permission"] == "coordinator")


def asked(site: ApiSite, *, run: str = RUN, text: bytes = TABLE) -> Any:
    """Ana's release request for a table of a run, as the API answers it."""
    site.wrote("table.csv", text, run)
    group = {"context": "Patients by sex", "controls": "No count below ten"}
    answer = site.post("ana", f"/projects/{PROJECT}/release-requests", {"run": run, "groups": [group]})
    assert answer.status_code == 201, answer.text
    return answer.json()


def voted(site: ApiSite, who: str, request: Any, vote: str = "APPROVED") -> Any:
    """One checker's vote on every file."""
    votes = [
        {"path": file["path"], "vote": vote, "justification": "looked at by hand"}
        for file in request["files"]
    ]
    body = {"turn": request["turn"], "votes": votes}
    return site.post(who, f"/release-requests/{request['id']}/vote", body)


def released(site: ApiSite, **options: Any) -> Any:
    """A request that was released."""
    request = asked(site, **options)
    for who in ("omar", "oda"):
        answer = voted(site, who, request)
        assert answer.status_code == 200, answer.text
    [publication] = site.node.publisher.publish_approved()
    assert publication.error is None, publication.error
    return site.get("ana", f"/release-requests/{request['id']}").json()


def told(site: ApiSite) -> Story:
    """Do something of everything."""
    submitted = site.post("ana", f"/projects/{PROJECT}/code-revisions").json()
    request = asked(site)
    return Story(
        {
            "project": PROJECT,
            "commit": submitted["commit"],
            "name": "ana",
            "coordinator": HUB,
            "key_id": "0" * 16,
            "token_id": "0" * 16,
            "session_id": "0" * 16,
            "request": request["id"],
            "scope": PROJECT,
            "number": "1",
            "entry": "1",
            "run": RUN,
            "subject": RUN,
            "capsule": "0" * 16,
        },
        file=request["files"][0]["path"],
    )
