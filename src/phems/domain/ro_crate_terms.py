"""Names that the RO-Crate's entities refer to each other by, and the terms it takes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from phems.domain.release_facts import RunProvenance

Entity = dict[str, Any]

CONTROLLER, NODE, PROJECT, POLICY, SOFTWARE = "#controller", "#node", "#project", "#policy", "#phems-node"

# Safe Haven Provenance ontology, https://w3id.org/shp
CHECK_VALUE = "https://w3id.org/shp#CheckValue"
DISCLOSURE_CHECK = "https://w3id.org/shp#DisclosureCheck"
SHA_256 = "https://www.iana.org/assignments/named-information#sha-256"

COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"


def ref(identifier: str) -> Entity:
    """A reference to an entity."""
    return {"@id": identifier}


def refs(identifiers: Iterable[str]) -> list[Entity]:
    """References to entities."""
    return [ref(identifier) for identifier in identifiers]


def file_id(place: str) -> str:
    """The `@id` of a file: its path in the package, percent-encoded as a URI asks for."""
    return quote(place, safe="/")


def person_id(name: str) -> str:
    """The `@id` of a person."""
    return f"#person-{quote(name, safe='')}"


def code_id(run: RunProvenance) -> str:
    """The `@id` of the code that a run ran: its commit as a SWHID (ISO/IEC 18670), else its digest."""
    origin = run.origin
    return f"swh:1:rev:{origin.commit}" if origin.commit else f"#code-{origin.digest or 'unknown'}"


def data_id(name: str) -> str:
    """The `@id` of a data source."""
    return f"#data-{quote(name, safe='')}"


def term(identifier: str, name: str) -> Entity:
    """A term of a vocabulary, as an entity."""
    return {"@id": identifier, "@type": "DefinedTerm", "name": name, "termCode": name}
