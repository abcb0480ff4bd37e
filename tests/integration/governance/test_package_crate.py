"""A released package is an RO-Crate that others' tools accept and read, without a network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate
from tests.integration.governance.crate_validator import CrateValidator, installed
from tests.integration.governance.governed_site import Site
from tests.integration.governance.released import released

CRATE = "ro-crate-metadata.json"
# Process Run Crate 0.5 builds on RO-Crate 1.1, and the package says 1.3: its own rules are checked alone.
PROFILES = (("ro-crate-1.3", ()), ("process-run-crate-0.5", ("--disable-profile-inheritance",)))


@pytest.fixture(scope="session")
def validator(tmp_path_factory: pytest.TempPathFactory) -> CrateValidator:
    """The validator, installed."""
    return installed(tmp_path_factory.mktemp("crate-validator"))


@pytest.fixture
def package(site: Site, run_of: Callable[..., str]) -> Path:
    """A package as the publisher placed it: two files, approved by two checkers."""
    return released(site, run_of)


@pytest.mark.parametrize(("profile", "options"), PROFILES)
def test_the_package_conforms(
    validator: CrateValidator, package: Path, profile: str, options: tuple[str, ...]
) -> None:
    """Otherwise a receiver's tools refuse the package."""
    assert validator.issues(package, profile, *options) == []


def test_the_validator_would_have_found_something(validator: CrateValidator, package: Path) -> None:
    """Otherwise the test above passes because nothing is looked at."""
    copy = package.with_name("copy")
    shutil.copytree(package, copy)
    place = copy / CRATE
    crate = json.loads(place.read_text())
    root = next(entity for entity in crate["@graph"] if entity["@id"] == "./")
    del root["license"]
    place.chmod(0o644)
    place.write_text(json.dumps(crate))
    assert validator.issues(copy, "ro-crate-1.3") != []
    (copy / "files/note.txt").unlink()
    assert any("note.txt" in json.dumps(issue) for issue in validator.issues(copy, "ro-crate-1.3"))


def test_another_library_reads_the_crate(package: Path) -> None:
    """Otherwise a receiver finds a crate with nothing in it."""
    crate = ROCrate(str(package))
    parts = {entity.id for entity in crate.root_dataset["hasPart"]}
    assert {"files/km.csv", "files/note.txt", "manifest.json", "attestation.dsse.json"} <= parts
    assert crate.publisher["name"] == "Hospital A"
    people = {entity["name"] for entity in crate.get_entities() if entity.type == "Person"}
    assert people == {"ana", "cara", "chris"}


def test_its_output_checking_is_told_in_five_safes_terms(package: Path) -> None:
    """Otherwise a Five Safes reader does not see who checked, decided and released.

    Of the profile's result crate (https://w3id.org/5s-crate/0.4) the parts that an outgoing package can have;
    ADR 0021 lists those that it cannot.
    """
    graph: dict[str, Any] = {
        entity["@id"]: entity for entity in json.loads((package / CRATE).read_text())["@graph"]
    }
    root = graph["./"]
    assert graph[root["sourceOrganization"]["@id"]]["@type"] == "Project"
    assert graph[root["publisher"]["@id"]]["@type"] == "Organization"
    actions = [graph[found["@id"]] for found in root["mentions"]]
    assessments = [action for action in actions if action["@type"] == "AssessAction"]
    for action in assessments:
        assert action["actionStatus"].startswith("http://schema.org/")
        assert action["additionalType"]["@id"].startswith("https://w3id.org/shp#")
        assert {"name", "endTime", "object", "agent"} <= action.keys()
        assert set(kinds(graph, action["agent"])) <= {"Person", "Organization", "SoftwareApplication"}
    for entity in graph.values():
        if entity["@type"] == "SoftwareApplication":
            assert graph[entity["provider"]["@id"]]["@type"] == "Organization"
    for person in (entity for entity in graph.values() if entity["@type"] == "Person"):
        assert person["affiliation"] == {"@id": "#controller"}
        assert person["memberOf"] == {"@id": "#project"}
    created = [
        found for action in actions if action["@type"] == "CreateAction" for found in ids(action["result"])
    ]
    assert set(created) <= set(ids(root["hasPart"]))


def ids(value: Any) -> list[str]:
    """The identifiers in a reference or a list of them."""
    return [found["@id"] for found in (value if isinstance(value, list) else [value])]


def kinds(graph: dict[str, Any], value: Any) -> Iterator[str]:
    """The types of what is referred to."""
    return (graph[identifier]["@type"] for identifier in ids(value))
