"""README.html: what a package holds and who decided, for people. One page, without script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from functools import cache
from importlib import resources
from typing import Any

from phems.domain.package_checks import released_findings
from phems.domain.release_facts import ReleaseFacts
from phems.domain.release_packages import package_paths, time_text, votes_on
from phems.domain.releases import FrozenFile


def write_readme(facts: ReleaseFacts, parts: Collection[str]) -> bytes:
    """See the port `ReadmeWriter`. The same facts give the same bytes."""
    style = resources.files(__package__).joinpath("readme.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    places = package_paths(facts.files)
    page: str = _template().render(
        facts=facts,
        request=facts.request,
        released_at=time_text(facts.released_at),
        files=[_file(facts, file, places[file.path]) for file in facts.files],
        findings=released_findings(facts),
        parts=sorted(parts),
        style=style,
        policy=policy,
    )
    return page.encode()


def _file(facts: ReleaseFacts, file: FrozenFile, place: str) -> dict[str, Any]:
    return {
        "place": place,
        "size": file.size,
        "sha256": file.sha256,
        "decision": facts.request.decision_on(file.path).value,
        "votes": [
            {"by": f"{vote.checker}: {vote.vote.value}, {time_text(vote.at)}", "why": vote.justification}
            for vote in votes_on(facts.request, file.path)
        ],
    }


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("phems.adapters.release_package", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.get_template("readme.html.j2")
