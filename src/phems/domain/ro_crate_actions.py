"""What happened on a package's way out, as actions: a check is not a decision, nor that a release.

| what | is a | whose agent is | and is of the kind |
|---|---|---|---|
| a run that made files | CreateAction | the person who launched it | |
| an output check's finding | AssessAction | the node's software | shp:DisclosureCheck |
| a checker's vote | AssessAction | the person | shp:DisclosureCheck |
| the comparison with the reviewed bytes | AssessAction | the node's software | shp:CheckValue |
| the decision on a file | AuthorizeAction | the people whose votes made it | |
| the release | SendAction | the Data Controller, by the node's software | |

Each completed action has an `endTime`, an `object` and an `actionStatus`, as the Five Safes profile asks. Its
status says whether it found for the file; what a check or vote said is its `result`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phems.domain.output_checks import Verdict
from phems.domain.outputs import name_of
from phems.domain.package_checks import released_findings
from phems.domain.release_facts import ReleaseFacts, RunProvenance
from phems.domain.release_packages import package_paths, time_text, votes_on
from phems.domain.releases import FrozenFile
from phems.domain.ro_crate_terms import (
    CHECK_VALUE,
    COMPLETED,
    CONTROLLER,
    DISCLOSURE_CHECK,
    FAILED,
    NODE,
    POLICY,
    SHA_256,
    SOFTWARE,
    Entity,
    code_id,
    data_id,
    file_id,
    person_id,
    ref,
    refs,
    term,
)
from phems.domain.votes import Vote


def actions_of(facts: ReleaseFacts) -> tuple[list[Entity], list[Entity]]:
    """The actions in the order in which they happened, and the terms that they use."""
    actions = [*_runs(facts), *_checks(facts), *_votes(facts), *_decisions(facts), *_release(facts)]
    results = sorted({result["@id"] for action in actions for result in _results(action)})
    terms = [term(identifier, identifier.rpartition("-")[2]) for identifier in results]
    kinds = {CHECK_VALUE: "CheckValue", DISCLOSURE_CHECK: "DisclosureCheck", SHA_256: "sha-256"}
    return actions, [*terms, *(term(identifier, name) for identifier, name in kinds.items())]


def _results(action: Entity) -> Iterator[Entity]:
    result = action.get("result", [])
    for found in result if isinstance(result, list) else [result]:
        if found["@id"].startswith(("#verdict-", "#vote-is-")):
            yield found


def _runs(facts: ReleaseFacts) -> Iterator[Entity]:
    places = package_paths(facts.files)
    for run in facts.runs:
        files = [file for file in facts.files if file.run_id == run.origin.run_id]
        action: dict[str, Any] = {
            "@id": f"#run-{run.uuid}",
            "@type": "CreateAction",
            "name": f"Run {run.origin.run_id} of {facts.request.project}",
            "actionStatus": COMPLETED if run.times is None or run.times.status == "SUCCESS" else FAILED,
            "agent": ref(_launcher(run)),
            "instrument": ref(code_id(run)),
            "object": refs(data_id(name) for name in sorted(run.data)),
            "result": refs(file_id(places[file.path]) for file in files),
        }
        if run.origin.capsule:
            action["identifier"] = f"urn:phems:capsule:{run.origin.capsule}"
        if run.times and run.times.started_at:
            action["startTime"] = time_text(run.times.started_at)
        if run.times and run.times.ended_at:
            action["endTime"] = time_text(run.times.ended_at)
        yield action


def _launcher(run: RunProvenance) -> str:
    return person_id(run.launched_by) if run.launched_by and run.launched_by_person else NODE


def _checks(facts: ReleaseFacts) -> Iterator[Entity]:
    for number, finding in enumerate(released_findings(facts), 1):
        what = f"{finding['check']} {finding['version']}"
        about = finding["path"] or "the request as a whole"
        yield {
            "@id": f"#check-{number}",
            "@type": "AssessAction",
            "additionalType": ref(DISCLOSURE_CHECK),
            "name": f"Output check {what} of {about}: {finding['verdict']}",
            "actionStatus": FAILED if finding["verdict"] == Verdict.FAIL.value else COMPLETED,
            "agent": ref(SOFTWARE),
            "instrument": ref(POLICY),
            "object": ref(file_id(finding["path"]) if finding["path"] else "./"),
            "result": ref(f"#verdict-{finding['verdict']}"),
            "endTime": time_text(facts.request.asked_at or facts.request.requested_at),
        }


def _votes(facts: ReleaseFacts) -> Iterator[Entity]:
    places = package_paths(facts.files)
    cast = [vote for file in facts.files for vote in votes_on(facts.request, file.path)]
    for number, vote in enumerate(cast, 1):
        action = {
            "@id": f"#vote-{number}",
            "@type": "AssessAction",
            "additionalType": ref(DISCLOSURE_CHECK),
            "name": f"Vote of {vote.checker} on {name_of(vote.path)}: {vote.vote.value}",
            "actionStatus": COMPLETED if vote.vote is Vote.APPROVED else FAILED,
            "agent": ref(person_id(vote.checker)),
            "instrument": ref(POLICY),
            "object": ref(file_id(places[vote.path])),
            "result": ref(f"#vote-is-{vote.vote.value}"),
            "endTime": time_text(vote.at),
        }
        yield {**action, "description": vote.justification} if vote.justification else action


def _decisions(facts: ReleaseFacts) -> Iterator[Entity]:
    places = package_paths(facts.files)
    for number, file in enumerate(facts.files, 1):
        decision: dict[str, Any] = {
            "@id": f"#decision-{number}",
            "@type": "AuthorizeAction",
            "name": f"Decision on {name_of(file.path)}: {facts.request.decision_on(file.path).value}",
            "actionStatus": COMPLETED,
            "agent": refs(person_id(name) for name in _deciders(facts, file)),
            "instrument": ref(POLICY),
            "object": ref(file_id(places[file.path])),
        }
        if facts.request.decided_at:
            decision["endTime"] = time_text(facts.request.decided_at)
        yield decision


def _deciders(facts: ReleaseFacts, file: FrozenFile) -> list[str]:
    votes = votes_on(facts.request, file.path)
    return [vote.checker for vote in votes if vote.vote is Vote.APPROVED]


def _release(facts: ReleaseFacts) -> Iterator[Entity]:
    at, places = time_text(facts.released_at), package_paths(facts.files)
    files = refs(file_id(places[file.path]) for file in facts.files)
    yield {
        "@id": "#integrity",
        "@type": "AssessAction",
        "additionalType": ref(CHECK_VALUE),
        "name": "Comparison with the SHA-256 of the bytes that were reviewed: equal",
        "actionStatus": COMPLETED,
        "agent": ref(SOFTWARE),
        "instrument": ref(SHA_256),
        "object": [ref("./"), *files],
        "endTime": at,
    }
    yield {
        "@id": "#release",
        "@type": "SendAction",
        "name": f"Release {facts.request.id} from the node {facts.node.node}",
        "actionStatus": COMPLETED,
        "agent": ref(CONTROLLER),
        "instrument": ref(SOFTWARE),
        "object": ref("./"),
        "endTime": at,
    }
