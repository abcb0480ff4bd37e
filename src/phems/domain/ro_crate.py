"""The package as an RO-Crate (RO-Crate 1.3, https://w3id.org/ro/crate/1.3): plain JSON-LD, canonical.

Its output checking is told in the terms of the Five Safes RO-Crate profile 0.4
(https://w3id.org/5s-crate/0.4) and of the Safe Haven Provenance ontology: see
`phems.domain.ro_crate_actions`. It does not claim that profile: a Five Safes crate is a request that travels
with its Workflow RO-Crate, and this is what came of one, without the code. It does claim Process Run Crate
0.5, which asks for what ran, on what, and what came out.
"""

from __future__ import annotations

from phems.domain.canonical import canonical
from phems.domain.outputs import name_of
from phems.domain.release_facts import ReleaseFacts, RunProvenance
from phems.domain.release_packages import ATTESTATION, CRATE, DESCRIBED_PARTS, package_paths, time_text
from phems.domain.releases import FrozenFile
from phems.domain.ro_crate_actions import actions_of
from phems.domain.ro_crate_terms import (
    CONTROLLER,
    NODE,
    POLICY,
    PROJECT,
    SOFTWARE,
    Entity,
    code_id,
    data_id,
    file_id,
    person_id,
    ref,
    refs,
)

VERSION = "https://w3id.org/ro/crate/1.3"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
_TERMS = "#terms"


def crate_of(facts: ReleaseFacts) -> bytes:
    """`ro-crate-metadata.json`."""
    actions, terms = actions_of(facts)
    places = package_paths(facts.files)
    files = [_file(facts, file, places[file.path]) for file in facts.files]
    graph = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": ref("./"),
            "conformsTo": ref(VERSION),
        },
        _root(facts, files, actions),
        *files,
        *_parts(),
        {
            "@id": PROCESS_RUN,
            "@type": ["CreativeWork", "Profile"],
            "name": "Process Run Crate",
            "version": "0.5",
        },
        *_organisations(facts),
        *_people(facts),
        *_software(facts),
        *_data(facts),
        *actions,
        *terms,
    ]
    return canonical({"@context": f"{VERSION}/context", "@graph": [_compacted(entity) for entity in graph]})


def _compacted(entity: Entity) -> Entity:
    """The entity with a list of one as that one, and without empty lists, as RO-Crate recommends."""
    said = {key: value for key, value in entity.items() if value != []}
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in said.items()
    }


def _root(facts: ReleaseFacts, files: list[Entity], actions: list[Entity]) -> Entity:
    request = facts.request
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Release {request.id} of {request.project}",
        "description": " ".join(group.context for group in facts.groups)
        or f"Files that left the node {facts.node.node} as release {request.id}.",
        "identifier": request.id,
        "datePublished": time_text(facts.released_at),
        "license": ref(_TERMS),
        "publisher": ref(CONTROLLER),
        "creator": refs(person_id(name) for name in sorted(request.authors)),
        "sourceOrganization": ref(PROJECT),
        "conformsTo": ref(PROCESS_RUN),
        "hasPart": [*(ref(file["@id"]) for file in files), *(ref(part["@id"]) for part in _parts())],
        "mentions": [ref(action["@id"]) for action in actions],
    }


def _file(facts: ReleaseFacts, file: FrozenFile, place: str) -> Entity:
    group = next((group for group in facts.groups if group.name == file.group), None)
    return {
        "@id": file_id(place),
        "@type": "File",
        "name": name_of(file.path),
        "description": group.context if group else f"A file of release {facts.request.id}.",
        "contentSize": str(file.size),
        "encodingFormat": file.media_type,
        "sha256": file.sha256,
    }


def _parts() -> list[Entity]:
    described = {
        **DESCRIBED_PARTS,
        ATTESTATION: (
            "The node's signature over every file of the package (in-toto, DSSE)",
            "application/vnd.in-toto+json",
        ),
    }
    return [
        {"@id": path, "@type": "File", "name": path, "description": text, "encodingFormat": media_type}
        for path, (text, media_type) in described.items()
    ]


def _organisations(facts: ReleaseFacts) -> list[Entity]:
    node, request = facts.node, facts.request
    terms = f"No licence is granted with this package. {node.controller} decides on its further use."
    return [
        {"@id": CONTROLLER, "@type": "Organization", "name": node.controller},
        {
            "@id": NODE,
            "@type": "Organization",
            "name": f"The node {node.node}",
            "parentOrganization": ref(CONTROLLER),
        },
        {"@id": PROJECT, "@type": "Project", "name": request.project, "identifier": request.project},
        {"@id": _TERMS, "@type": "CreativeWork", "name": "Terms of use", "description": terms},
        {
            "@id": POLICY,
            "@type": "CreativeWork",
            "name": f"The policy '{request.policy.name}', version {facts.policy_version}",
            "version": facts.policy_version,
        },
    ]


def _people(facts: ReleaseFacts) -> list[Entity]:
    request = facts.request
    leaving = {file.path for file in facts.files}
    names = {
        *request.authors,
        *(vote.checker for vote in request.votes if vote.turn == request.turn and vote.path in leaving),
        *(run.launched_by for run in facts.runs if run.launched_by and run.launched_by_person),
    }
    return [
        {
            "@id": person_id(name),
            "@type": "Person",
            "name": name,
            "affiliation": ref(CONTROLLER),
            "memberOf": ref(PROJECT),
        }
        for name in sorted(names - {""})
    ]


def _software(facts: ReleaseFacts) -> list[Entity]:
    revisions = {code_id(run): _revision(facts, run) for run in facts.runs}
    tool = {
        "@id": SOFTWARE,
        "@type": "SoftwareApplication",
        "name": "PHEMS node",
        "version": facts.node.tool_version,
        "url": "urn:phems:tool:phems-node",
        "provider": ref(NODE),
    }
    return [tool, *(revisions[key] for key in sorted(revisions))]


def _revision(facts: ReleaseFacts, run: RunProvenance) -> Entity:
    """The code is software that ran, not source code: SoftwareSourceCode is a file of the crate."""
    known = run.origin.digest or "unknown"
    return {
        "@id": code_id(run),
        "@type": "SoftwareApplication",
        "name": f"Approved code of {facts.request.project}",
        "version": run.origin.commit or known,
        "url": f"urn:phems:code:{known}",
        "provider": ref(NODE),
    }


def _data(facts: ReleaseFacts) -> list[Entity]:
    versions: dict[str, set[str]] = {}
    for run in facts.runs:
        for name, version in run.data.items():
            versions.setdefault(name, set()).add(version)
    return [
        {
            "@id": data_id(name),
            "@type": "CreativeWork",
            "name": name,
            "description": "A data source of the node. It did not leave with this package.",
            "version": sorted(versions[name]),
        }
        for name in sorted(versions)
    ]
