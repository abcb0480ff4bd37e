"""What the receiver of a package finds out: each way to tamper with it, at the step that finds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope
from tests.package_facts import CONTENTS, FACTS, NOW, REQUEST

from phems.adapters.release_package.dsse import DssePackageSigner, open_envelope, unverified_subjects
from phems.adapters.release_package.folder import LocalPackageFolder
from phems.adapters.release_package.readme import write_readme
from phems.adapters.signing import SigningKey, public_key_given
from phems.domain.canonical import canonical, parse, sha256
from phems.domain.provenance import release_statement
from phems.domain.release_packages import MANIFEST, package_paths, released_digests
from phems.domain.release_states import ReleaseAction
from phems.domain.releases import ReleaseRequest, acted
from phems.errors import InputError, IntegrityError, RefusedError
from phems.services.package_parts import PackageParts
from phems.services.ports.release_packages import PackageRecord
from phems.services.release_verification import STEPS, VerifiedPackage, verify_package

SIGNER = DssePackageSigner(SigningKey(Ed25519PrivateKey.from_private_bytes(b"\1" * 32)))
OTHER = DssePackageSigner(SigningKey(Ed25519PrivateKey.from_private_bytes(b"\2" * 32)))
KM = next(place for place in package_paths(FACTS.files).values() if place.endswith("km table.csv"))


class NoRuns:
    """An engine that knows no run."""

    def times(self, run_id: str) -> None: ...


MAKER = PackageParts(FACTS.node, SIGNER, write_readme, NoRuns())
PARTS = MAKER.make(FACTS)
RELEASED = replace(
    acted(REQUEST, ReleaseAction.RELEASE, by="publisher", at=NOW), package_digest=sha256(PARTS[MANIFEST])
)
REVOKED = acted(RELEASED, ReleaseAction.REVOKE, by="ida", at=NOW, reason="A patient objected")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as it was released."""
    folder = tmp_path / "package"
    files = {place: CONTENTS[path] for path, place in package_paths(FACTS.files).items()}
    for path, content in {**PARTS, **files}.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def verified(package: Path, signer: DssePackageSigner = SIGNER) -> VerifiedPackage:
    folder = LocalPackageFolder(package)
    return verify_package(folder, signer.public_key, key_id=signer.key_id, opened=open_envelope)


def add_notice(package: Path, request: ReleaseRequest = REVOKED, maker: PackageParts = MAKER) -> None:
    attestation = (package / "attestation.dsse.json").read_bytes()
    for path, content in maker.revocation(request, attestation).items():
        (package / path).write_bytes(content)


def test_a_package_as_released_verifies(package: Path) -> None:
    """Otherwise a receiver throws away what is genuine."""
    found = verified(package)
    assert (found.request, found.node, found.key_id) == ("rr-abcdefgh", "node-a", SIGNER.key_id)
    assert found.files == released_digests(REQUEST)
    assert found.steps == STEPS
    assert found.policy_version == "3:aaaaaaaaaaaa"


def test_making_a_package_again_gives_the_same_bytes() -> None:
    """Otherwise a package that is completed after a crash is another one than was signed."""
    assert MAKER.make(FACTS) == PARTS


def write(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda package: (package / path).write_bytes(content)


def remove(path: str) -> Callable[[Path], object]:
    return lambda package: (package / path).unlink()


def link(path: str) -> Callable[[Path], object]:
    def to_elsewhere(package: Path) -> None:
        other = package.parent / "elsewhere"
        (package / path).rename(other)
        (package / path).symlink_to(other)

    return to_elsewhere


def of_other_type() -> bytes:
    """An envelope that the node's key sealed around something that is no statement."""
    envelope = json.loads(SIGNER.seal(b"{}"))
    envelope["payloadType"] = "text/plain"
    return json.dumps(envelope).encode()


MANIFEST_OF_ANOTHER = canonical({**parse(PARTS[MANIFEST]), "request": "rr-bbbbbbbb"})
SUBJECTS = {path: sha256(content) for path, content in PARTS.items() if not path.startswith("attestation")}


@pytest.mark.parametrize(
    ("tamper", "step", "names"),
    [
        (remove("attestation.dsse.json"), 1, "attestation.dsse.json"),
        (write("attestation.dsse.json", b"[]"), 2, "no DSSE envelope"),
        (write("attestation.dsse.json", b"not JSON"), 2, "no DSSE envelope"),
        (write("attestation.dsse.json", b'{"payload":1,"payloadType":"x","signatures":[]}'), 2, "no DSSE"),
        (write("attestation.dsse.json", OTHER.seal(release_statement(FACTS, SUBJECTS))), 2, OTHER.key_id),
        (
            write(
                "attestation.dsse.json",
                PARTS["attestation.dsse.json"].replace(SIGNER.key_id.encode(), OTHER.key_id.encode()),
            ),
            2,
            OTHER.key_id,
        ),
        (write("attestation.dsse.json", of_other_type()), 2, "text/plain"),
        (write("attestation.dsse.json", SIGNER.seal(b"{}")), 3, "in-toto"),
        (remove(KM), 4, KM),
        (remove("README.html"), 4, "README.html"),
        (write("files/patients.csv", b"1"), 5, "files/patients.csv"),
        (write(".hidden", b"1"), 5, ".hidden"),
        (lambda package: (package / "empty").mkdir(), 5, "empty"),
        (lambda package: (package / "link").symlink_to("/etc"), 5, "link"),
        (write(KM, b"time,at_risk\n0,501\n"), 6, KM),
        (write("checks.json", b"{}"), 6, "checks.json"),
        (write("ro-crate-metadata.json", b"{}"), 6, "ro-crate-metadata.json"),
        (link(KM), 6, KM),
    ],
)
def test_whatever_is_changed_is_found_and_named(
    package: Path, tamper: Callable[[Path], object], step: int, names: str
) -> None:
    """Otherwise a receiver works with what the node did not release."""
    tamper(package)
    with pytest.raises(IntegrityError, match=f"step {step} of {len(STEPS)}") as found:
        verified(package)
    assert names in found.value.why


def test_the_key_of_another_node_verifies_nothing(package: Path) -> None:
    """Otherwise anybody's package passes for the node's."""
    with pytest.raises(IntegrityError, match="step 2"):
        verified(package, OTHER)


def test_a_manifest_of_another_release_is_found_though_it_was_signed(package: Path) -> None:
    """Otherwise what people read is not what the signature is about."""
    subjects = {**SUBJECTS, **released_digests(REQUEST), MANIFEST: sha256(MANIFEST_OF_ANOTHER)}
    (package / MANIFEST).write_bytes(MANIFEST_OF_ANOTHER)
    (package / "attestation.dsse.json").write_bytes(SIGNER.seal(release_statement(FACTS, subjects)))
    with pytest.raises(IntegrityError, match="step 7"):
        verified(package)
    subjects[MANIFEST] = sha256(b"[]")
    (package / MANIFEST).write_bytes(b"[]")
    (package / "attestation.dsse.json").write_bytes(SIGNER.seal(release_statement(FACTS, subjects)))
    with pytest.raises(IntegrityError, match="step 7"):
        verified(package)


def test_a_revoked_package_says_so(package: Path) -> None:
    """Otherwise a receiver goes on using what was called back."""
    add_notice(package)
    with pytest.raises(RefusedError, match="revoked") as refusal:
        verified(package)
    assert "ida" in refusal.value.why
    assert "A patient objected" in refusal.value.why
    (package / "REVOKED.json").unlink()
    with pytest.raises(RefusedError, match="revoked"):
        verified(package)


def test_a_forged_notice_is_not_believed(package: Path) -> None:
    """Otherwise anybody can call a package back, or change the reason."""
    add_notice(package, maker=PackageParts(FACTS.node, OTHER, write_readme, NoRuns()))
    with pytest.raises(IntegrityError, match="step 8"):
        verified(package)
    add_notice(package)
    (package / "REVOKED.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="step 8"):
        verified(package)
    (package / "REVOKED.dsse.json").unlink()
    with pytest.raises(IntegrityError, match="step 8"):
        verified(package)


def test_a_notice_of_another_package_is_not_believed(package: Path) -> None:
    """Otherwise one notice calls back every package of the node."""
    for path, content in MAKER.revocation(REVOKED, b"another").items():
        (package / path).write_bytes(content)
    with pytest.raises(IntegrityError, match="step 8"):
        verified(package)


def test_parts_that_were_changed_in_the_database_are_not_placed() -> None:
    """Otherwise who can write to the database writes packages that the node seems to have signed."""
    MAKER.check(RELEASED, PackageRecord("rr-abcdefgh", PARTS, None))
    forged = {
        "README.html": b"<p>Other</p>",
        MANIFEST: MANIFEST_OF_ANOTHER,
        "attestation.dsse.json": OTHER.seal(release_statement(FACTS, SUBJECTS)),
        "extra.json": b"{}",
    }
    for path, content in forged.items():
        with pytest.raises(IntegrityError, match="not the one that was recorded"):
            MAKER.check(RELEASED, PackageRecord("rr-abcdefgh", {**PARTS, path: content}, None))
    for path in (MANIFEST, "attestation.dsse.json", "checks.json"):
        left = {name: content for name, content in PARTS.items() if name != path}
        with pytest.raises(IntegrityError, match="not the one that was recorded") as found:
            MAKER.check(RELEASED, PackageRecord("rr-abcdefgh", left, None))
        assert path in found.value.why


def test_the_envelope_is_one_that_other_tools_open() -> None:
    """Otherwise only this software can verify what this software signed."""
    envelope = json.loads(PARTS["attestation.dsse.json"])
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    pae = Envelope.from_dict(envelope).pae()
    assert pae.startswith(b"DSSEv1 28 application/vnd.in-toto+json ")
    assert dict(unverified_subjects(PARTS["attestation.dsse.json"])) == {
        **SUBJECTS,
        **released_digests(REQUEST),
    }
    with pytest.raises(IntegrityError):
        unverified_subjects(b"{}")


def test_the_page_for_people_runs_nothing_and_loads_nothing() -> None:
    """Otherwise opening README.html runs what an author wrote into it."""
    page = PARTS["README.html"].decode()
    assert "<script" not in page
    assert "default-src &#39;none&#39;" in page
    assert "Survival &lt;b&gt;curves&lt;/b&gt;" in page
    assert "src=" not in page.replace("default-src", "").replace("style-src", "")
    assert "href=" not in page
    assert "kept in the node" in page
    assert "kept.csv" not in page
    assert "secret_name" not in page


def test_a_key_is_given_as_a_file_or_as_text(tmp_path: Path) -> None:
    """Otherwise who was told the key by telephone cannot use it."""
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(b"\1" * 32))
    file = tmp_path / "release.pub.pem"
    file.write_bytes(key.public_pem())
    assert public_key_given(str(file)) == public_key_given(key.public_key) == key.public_key
    for wrong in ("no-such-file.pem", "AAAA", "ä"):
        with pytest.raises(InputError, match="not a public key"):
            public_key_given(wrong)


def test_what_is_no_folder_is_no_package(tmp_path: Path) -> None:
    """Otherwise a mistyped name ends in a traceback."""
    with pytest.raises(InputError, match="not a folder"):
        LocalPackageFolder(tmp_path / "nothing")
