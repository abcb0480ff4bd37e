"""Registering outputs: what a step says it wrote is read, never believed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from tests.integration.governance.governed_site import ANA, MIB, PROJECT, STRANGER, Site

from phems.errors import InputError, NotFoundError


def area(site: Site) -> Path:
    folder = site.folder / "artifacts" / PROJECT / "outputs" / "run-1"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refused(site: Site, path: str) -> InputError:
    """Registers `path`, which must be refused, with nothing on record."""
    with pytest.raises(InputError) as error:
        site.outputs.register_output(PROJECT, "run-1", "step", path)
    assert path in str(error.value) or repr(path) in str(error.value)
    assert error.value.why
    assert error.value.remedy
    assert site.outputs.list(ANA, PROJECT) == []
    assert site.entries() == []
    return error.value


def test_an_output_is_on_record_with_the_digest_of_its_bytes(site: Site) -> None:
    """Otherwise a release request cannot tell whether a file is still the one the run wrote."""
    content = os.urandom(MIB + 17)
    output = site.wrote("tables/km.csv", content)
    assert (output.sha256, output.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert output.media_type == "text/csv"
    assert site.outputs.list(ANA, PROJECT, "run-1") == [output]
    [entry] = site.entries("output.register")
    # Not by its name, which the step made up as it ran.
    assert entry.subject == output.sha256
    assert "km.csv" not in str(entry)


def test_the_last_bytes_of_a_path_count(site: Site) -> None:
    """Otherwise a retried step leaves the record of bytes that are gone."""
    site.wrote("a.csv", b"first")
    second = site.wrote("a.csv", b"second")
    assert site.outputs.list(ANA, PROJECT, "run-1") == [second]
    assert site.outputs.list(ANA, PROJECT) == [second]


@pytest.mark.parametrize(
    "path",
    [
        "../secrets.csv",
        "outputs/run-1/../../../x.csv",
        "/etc/passwd",
        "outputs/run-1//x.csv",
        "outputs/run-1/x\n.csv",
        "outputs/run-2/x.csv",
        "outputs/run-1",
        "values/x",
        "",
    ],
)
def test_a_path_outside_of_the_runs_own_outputs_is_refused(site: Site, path: str) -> None:
    """Attack 26: `..`, absolute paths, another run's folder."""
    refused(site, path)


def test_a_symbolic_link_is_refused_wherever_it_stands(site: Site, tmp_path: Path) -> None:
    """Attack 26: a link in the artifact area leads out of it."""
    secret = tmp_path / "secret.csv"
    secret.write_text("patients")
    (area(site) / "link.csv").symlink_to(secret)
    (area(site) / "folder").symlink_to(tmp_path)
    assert "symbolic link" in refused(site, "outputs/run-1/link.csv").why
    assert "symbolic link" in refused(site, "outputs/run-1/folder/secret.csv").why


def test_a_file_of_two_gigabytes_is_refused_without_being_read(site: Site) -> None:
    """Otherwise one step fills the node's time and disk."""
    with (area(site) / "huge.csv").open("wb") as file:
        file.truncate(2 * 1024**3)
    error = refused(site, "outputs/run-1/huge.csv")
    assert "2,147,483,648" in error.why
    assert f"{2 * MIB:,}" in error.why


def test_what_is_no_regular_file_is_refused_at_once(site: Site) -> None:
    """Otherwise a FIFO makes the node wait for ever."""
    os.mkfifo(area(site) / "pipe.csv")
    (area(site) / "folder.csv").mkdir()
    assert "no regular file" in refused(site, "outputs/run-1/pipe.csv").why
    assert "no regular file" in refused(site, "outputs/run-1/folder.csv").why
    refused(site, "outputs/run-1/missing.csv")


def test_a_file_that_grows_while_it_is_read_is_refused(site: Site) -> None:
    """Otherwise the digest on record is of a file that never was."""
    place = area(site) / "growing.csv"
    place.write_bytes(b"x" * 3 * MIB)
    chunks = site.artifacts.chunks(PROJECT, "outputs/run-1/growing.csv", limit=10 * MIB)
    next(chunks)
    with place.open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="changed while it was read"):
        list(chunks)


def test_outputs_are_for_the_projects_people(site: Site) -> None:
    """Otherwise file names of one project are read by another."""
    site.wrote("a.csv", b"1")
    with pytest.raises(NotFoundError):
        site.outputs.list(STRANGER, PROJECT)
