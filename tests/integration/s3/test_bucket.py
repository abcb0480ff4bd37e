"""A bucket on a real server: whole objects or none, checked bytes, names that are written once, outages."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.s3_server import ACCESS_KEY, SECRET_KEY, S3Server

from phems.adapters.files.artifact_areas import FolderArtifactAreas
from phems.adapters.s3.artifact_areas import S3ArtifactAreas
from phems.adapters.s3.bucket import Bucket, NameTakenError, OtherBytesError
from phems.adapters.s3.connection import client_of
from phems.adapters.s3.parts import PART
from phems.adapters.s3.run_objects import RunObjects
from phems.bootstrap.doctor.buckets import look_at_buckets
from phems.bootstrap.doctor.findings import Patient, State
from phems.domain.retention import Area
from phems.errors import InputError, IntegrityError, PhemsError, RefusedError, UnavailableError
from phems.nodespec import Document, NodePaths, node_paths, parse_node
from phems.nodespec.storage import S3

SPEC = "version: 1\nnode: {name: node-a}\ncontroller: {name: b}\n"
LARGE = bytes(range(256)) * (PART // 256 * 2) + b"and a rest"
LIMIT = 4 * len(LARGE)


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    found = node_paths(parse_node(SPEC), tmp_path)
    found.keys.mkdir(parents=True)
    found.s3_credentials.write_text(
        f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    found.s3_credentials.chmod(0o600)
    return found


@pytest.fixture
def node_client(s3: S3Server, paths: NodePaths) -> Any:
    return client_of(S3(bucket="any", endpoint=s3.endpoint, credentials="file"), paths)


@pytest.fixture
def place(node_client: Any, bucket: str) -> Bucket:
    return Bucket(node_client, bucket, seconds=60)


@pytest.fixture
def machine(place: Bucket, tmp_path: Path) -> Callable[[str], Machine]:
    return lambda name: Machine(place, tmp_path / name)


class Machine:
    """One machine of the node: folders of its own, and the bucket that all share."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self.folder = folder
        self.areas = S3ArtifactAreas(
            bucket,
            FolderArtifactAreas(folder / "artifacts"),
            lambda project: folder / "fetched" / project,
            lambda _project: LIMIT,
        )

    def write(self, path: str, content: bytes, project: str = "heart") -> Path:
        place = self.folder / "artifacts" / project / path
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{secrets.token_hex(4)}")
        fresh.write_bytes(content)
        fresh.rename(place)
        return place

    def found(self, path: str, project: str = "heart") -> bytes | None:
        """What a step reads here."""
        name = self.areas.find(project, path)
        if name is None:
            return None
        fetched, own = self.folder / "fetched" / project, self.folder / "artifacts" / project
        return (fetched / name if name else own / path).read_bytes()


def stored(place: Bucket, key: str, content: bytes, **options: Any) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    chunks = [content[at : at + 1_000_000] for at in range(0, len(content), 1_000_000)]
    passed = b"".join(place.passing(key, iter(chunks), size=len(content), sha256=sha256, **options))
    assert passed == content


@pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "in parts"])
def test_what_is_stored_is_read_again_with_its_digest(
    place: Bucket, s3: S3Server, bucket: str, content: bytes
) -> None:
    stored(place, "heart/io/x", content)
    found = place.look("heart/io/x")
    assert found is not None
    assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert b"".join(place.chunks("heart/io/x")) == content
    parts = s3.client().head_object(Bucket=bucket, Key="heart/io/x")["ETag"].strip('"').rpartition("-")[2]
    assert parts == "3" if content == LARGE else len(parts) == 32
    assert place.look("heart/io/y") is None


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "in parts"])
def test_a_name_that_is_to_be_new_is_written_once(place: Bucket, content: bytes) -> None:
    """Otherwise what has been released is replaced in silence."""
    stored(place, "once", content, new=True)
    for other in (b"other", content):
        with pytest.raises(NameTakenError):
            stored(place, "once", other, new=True)
    assert b"".join(place.chunks("once")) == content


def test_of_two_who_write_a_new_name_at_once_one_wins(node_client: Any, bucket: str) -> None:
    """The server's own condition decides, not a look beforehand."""
    results: list[str] = []
    both = threading.Barrier(2)

    def write(content: bytes) -> None:
        place = Bucket(node_client, bucket, seconds=5)
        both.wait()
        try:
            place.put("race", content, new=True)
            results.append("written")
        except NameTakenError:
            results.append("taken")

    threads = [threading.Thread(target=write, args=(word,)) for word in (b"one", b"two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["taken", "written"]


def test_the_server_refuses_bytes_that_are_not_those_of_the_checksum(node_client: Any, bucket: str) -> None:
    """Otherwise a body that is damaged on its way is stored, and found out when it is needed."""
    wrong_md5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
    with pytest.raises(ClientError, match="BadDigest"):
        node_client.put_object(Bucket=bucket, Key="x", Body=b"bytes", ContentMD5=wrong_md5)

    node_client.meta.events.register("before-send.s3.PutObject", lambda request, **_: damage_body(request))
    with pytest.raises(ClientError, match="SHA256Mismatch"):
        node_client.put_object(Bucket=bucket, Key="x", Body=b"bytes")
    assert node_client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def damage_body(request: Any) -> None:
    request.body = b"bytEs"


def test_an_object_that_somebody_replaced_is_told_by_its_digest(
    place: Bucket, s3: S3Server, bucket: str
) -> None:
    stored(place, "x", b"bytes")
    kept = s3.client().head_object(Bucket=bucket, Key="x")["Metadata"]
    s3.client().put_object(Bucket=bucket, Key="x", Body=b"other", Metadata=kept)
    with pytest.raises(IntegrityError, match="not what the node stored"):
        list(place.chunks("x"))


def test_nothing_is_stored_of_a_file_whose_reading_fails(place: Bucket, s3: S3Server, bucket: str) -> None:
    """Otherwise half a file is passed on as a whole one."""

    def broken() -> Iterator[bytes]:
        yield LARGE[: PART + 1]
        raise InputError("It changed while it was read.")

    with pytest.raises(InputError):
        list(place.passing("half", broken(), size=len(LARGE), sha256=""))
    assert place.look("half") is None
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)


def named(s3: S3Server, paths: NodePaths, key: str, secret: str, bucket: str, **settings: str) -> Bucket:
    """A bucket as a node with these credentials uses it."""
    paths.s3_credentials.write_text(
        f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    described = {"endpoint": s3.endpoint, "credentials": "file", **settings}
    return Bucket(client_of(S3(bucket=bucket, **described), paths), bucket, seconds=60)  # type: ignore[arg-type]


def an_hour_ago() -> datetime:
    """The time, by a machine whose clock is late; as the client signs it, without its zone."""
    return (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None)


def test_what_cannot_do_is_told_at_once_and_says_what_to_do(
    bucket: str, paths: NodePaths, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise an operator reads a number, and each step waits a minute to tell it."""
    missing = named(s3, paths, ACCESS_KEY, SECRET_KEY, "nowhere")
    for act in (missing.check, lambda: missing.look("x"), lambda: missing.put("x", b"")):
        with pytest.raises(UnavailableError) as refused:
            act()
        assert refused.value.why == "there is no such bucket."
    s3.add_user("stranger", "another-secret")
    told: dict[str, str] = {}
    for name, place in {
        "stranger": named(s3, paths, "stranger", "another-secret", bucket),
        "unknown": named(s3, paths, "nobody", "x", bucket),
        "wrong": named(s3, paths, ACCESS_KEY, "x", bucket),
        "late": named(s3, paths, ACCESS_KEY, SECRET_KEY, bucket),
    }.items():
        if name == "late":
            monkeypatch.setattr("botocore.auth.get_current_datetime", an_hour_ago)
        with pytest.raises(UnavailableError) as refused:
            place.put("x", b"")
        assert refused.value.remedy
        told[name] = refused.value.why
    assert told == {
        "stranger": "the node's user may not do that.",
        "unknown": "the service does not know the access key.",
        "wrong": "the secret key is not the one of the access key.",
        "late": "the clocks of this machine and of the service are too far apart.",
    }


def test_over_tls_the_certificate_is_that_of_the_ca_or_nothing_is_sent(
    s3: S3Server, paths: NodePaths, bucket: str
) -> None:
    settings = {"endpoint": s3.tls_endpoint, "ca": str(s3.ca)}
    place = named(s3, paths, ACCESS_KEY, SECRET_KEY, bucket, **settings)
    stored(place, "by-tls", LARGE, new=True)
    assert b"".join(place.chunks("by-tls")) == LARGE
    stranger = named(s3, paths, ACCESS_KEY, SECRET_KEY, bucket, endpoint=s3.tls_endpoint)
    with pytest.raises(UnavailableError) as refused:
        stranger.put("x", b"patients")
    assert "certificate is not trusted" in refused.value.why
    assert "storage.s3.ca" in refused.value.remedy


def test_an_outage_in_the_middle_of_a_large_file_costs_none_of_it(
    s3: S3Server, place: Bucket, bucket: str
) -> None:
    """Otherwise the larger a file is, the likelier its step fails."""
    back = threading.Timer(3, s3.start)

    def chunks() -> Iterator[bytes]:
        yield LARGE[: PART + 1]
        s3.stop()
        back.start()
        yield LARGE[PART + 1 :]

    passed = place.passing("cut", chunks(), size=len(LARGE), sha256=hashlib.sha256(LARGE).hexdigest())
    assert b"".join(passed) == LARGE
    back.join()
    reading = place.chunks("cut")
    first = next(reading)
    s3.stop()
    s3.start()
    assert first + b"".join(reading) == LARGE
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=bucket)


def test_an_outage_is_waited_out_and_nothing_is_stored_twice(
    s3: S3Server, place: Bucket, machine: Callable[[str], Machine]
) -> None:
    """Otherwise each hiccup of the service fails whatever runs."""
    here, there = machine("here"), machine("there")
    here.write("io/value", LARGE)
    s3.stop()
    storing = threading.Thread(target=here.areas.keep, args=("heart", "io/value"))
    storing.start()
    s3.start()
    storing.join(60)
    assert not storing.is_alive()
    assert there.found("io/value") == LARGE


def test_a_service_that_stays_away_is_told(s3: S3Server, node_client: Any, bucket: str) -> None:
    s3.stop()
    try:
        with pytest.raises(UnavailableError) as away:
            Bucket(node_client, bucket, seconds=1).put("x", b"bytes")
    finally:
        s3.start()
    assert "does not answer" in away.value.why
    assert away.value.remedy


def test_a_value_is_found_on_another_machine_and_read_in_place_on_its_own(
    machine: Callable[[str], Machine],
) -> None:
    here, there = machine("here"), machine("there")
    here.write("io/value", b"first")
    here.areas.keep("heart", "io/value")
    assert here.areas.find("heart", "io/value") == ""
    assert there.found("io/value") == b"first"
    assert there.found("io/value", project="lungs") is None

    there.write("io/value", b"second")
    there.areas.keep("heart", "io/value")
    # What lies in the first machine's folder is older than what was kept since.
    assert here.found("io/value") == b"second"
    assert (here.folder / "artifacts/heart/io/value").read_bytes() == b"first"


def test_a_file_that_was_changed_after_it_was_kept_is_not_what_is_found(
    machine: Callable[[str], Machine],
) -> None:
    """A step that failed while it wrote must not be what the next one reads."""
    here = machine("here")
    here.write("io/value", b"kept")
    here.areas.keep("heart", "io/value")
    here.write("io/value", b"never kept")
    assert here.found("io/value") == b"kept"


def test_a_lost_attempt_does_not_put_its_bytes_over_those_of_the_next(
    place: Bucket, machine: Callable[[str], Machine]
) -> None:
    """Otherwise a step that was started again succeeds, and the next one reads what the lost one wrote."""
    here = machine("here")
    here.write("io/value", b"of the lost attempt")
    slow = here.areas.taken("heart", "io/value", limit=LIMIT)
    assert next(slow) == b"of the lost attempt"
    here.write("io/value", b"of the next")
    storing = threading.Thread(target=here.areas.keep, args=("heart", "io/value"))
    storing.start()
    assert list(slow) == []
    storing.join(60)
    assert b"".join(place.chunks("heart/io/value")) == b"of the next"
    assert here.found("io/value") == b"of the next"


def test_of_steps_that_write_one_value_at_once_none_fails_and_the_last_counts(
    place: Bucket, machine: Callable[[str], Machine]
) -> None:
    """Two runs that make the same asset must not break each other, as they do not in a folder."""
    here = machine("here")
    values = [bytes([number]) * (PART + 7) for number in range(4)]
    failed: list[Exception] = []

    def write_and_keep(value: bytes) -> None:
        try:
            here.write("io/value", value)
            here.areas.keep("heart", "io/value")
        except Exception as error:  # noqa: BLE001 (told by the assertion)
            failed.append(error)

    threads = [threading.Thread(target=write_and_keep, args=(value,)) for value in values]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    last = (here.folder / "artifacts/heart/io/value").read_bytes()
    assert b"".join(place.chunks("heart/io/value")) == last
    assert last in values


def test_a_small_file_that_turns_into_a_large_one_is_not_taken_into_memory(
    place: Bucket, machine: Callable[[str], Machine]
) -> None:
    """Project code decides what lies there, and could have the node read a file as large as it may write."""
    with pytest.raises(OtherBytesError):
        list(place.passing("grown", iter([b"small", LARGE]), size=5, sha256=""))
    with pytest.raises(OtherBytesError):
        list(place.passing("other", iter([LARGE]), size=len(LARGE), sha256="0" * 64))
    assert place.look("grown") is None
    assert place.look("other") is None


@pytest.mark.parametrize("path", ["../lungs/io/x", "outputs/run/x", "/etc/passwd", "io/link", "io/none"])
def test_only_plain_values_of_the_project_are_kept(machine: Callable[[str], Machine], path: str) -> None:
    here = machine("here")
    here.write("io/value", b"value")
    (here.folder / "artifacts/heart/io/link").symlink_to("/etc/passwd")
    with pytest.raises((InputError, RefusedError)):
        here.areas.keep("heart", path)


def test_outputs_are_read_from_the_bucket_and_older_ones_from_the_folder(
    machine: Callable[[str], Machine],
) -> None:
    """A release is asked for on another machine, and of runs that were before there was a bucket."""
    here, there = machine("here"), machine("there")
    here.write("outputs/run/table.csv", b"a,b\n")
    assert b"".join(here.areas.taken("heart", "outputs/run/table.csv", limit=LIMIT)) == b"a,b\n"
    assert b"".join(there.areas.chunks("heart", "outputs/run/table.csv", limit=LIMIT)) == b"a,b\n"
    with pytest.raises(InputError, match="too large"):
        list(there.areas.chunks("heart", "outputs/run/table.csv", limit=3))
    here.write("outputs/old/table.csv", b"old\n")
    assert b"".join(here.areas.chunks("heart", "outputs/old/table.csv", limit=LIMIT)) == b"old\n"
    with pytest.raises(InputError, match="cannot be read"):
        list(there.areas.chunks("heart", "outputs/old/table.csv", limit=LIMIT))


def test_a_locked_object_cannot_be_removed(s3: S3Server, node_client: Any) -> None:
    name = f"locked-{threading.get_ident()}"
    s3.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    place = Bucket(node_client, name, seconds=5, lock=lambda: lock)
    for key, content in (("small", b"bytes"), ("large", LARGE)):
        stored(place, key, content, new=True)
        version = s3.client().head_object(Bucket=name, Key=key)
        assert version["ObjectLockMode"] == "GOVERNANCE"
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.client().delete_object(Bucket=name, Key=key, VersionId=version["VersionId"])


def test_a_bucket_without_object_lock_refuses_locked_objects(node_client: Any, bucket: str) -> None:
    """Otherwise what was to be locked is not, and nobody knows."""
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    with pytest.raises(UnavailableError, match="object lock"):
        Bucket(node_client, bucket, seconds=5, lock=lambda: lock).put("x", b"bytes")


def test_the_doctor_tells_a_bucket_that_can_be_used_from_one_that_cannot(
    s3: S3Server, bucket: str, paths: NodePaths
) -> None:
    """Otherwise a node is started that fails each step."""
    settings = f"{{bucket: {bucket}, release_bucket: nowhere, endpoint: '{s3.endpoint}', credentials: file}}"
    spec = parse_node(f"{SPEC}storage: {{s3: {settings}}}\n")
    with ExitStack() as stack:
        patient = Patient(spec, paths, Document("node.yaml"), stack)
        found = {row.about: row for row in look_at_buckets(patient)}
    assert found[bucket].state is State.OK
    assert found["nowhere"].state is State.FAILED
    assert "no such bucket" in found["nowhere"].what
    assert found["nowhere"].remedy


def test_a_listing_names_each_object_as_it_is_now_with_its_version(
    place: Bucket, bucket: str, s3: S3Server
) -> None:
    """A backup that names no versions does not say what to bring back."""
    place.put("before", b"a")
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    etags = {"before": place.look("before"), "again": None}
    for body in (b"b", b"bb"):
        place.put("again", body)
    etags["again"] = place.look("again")
    found = {each.key: each for each in place.objects()}
    assert {key: (each.size, each.etag) for key, each in found.items()} == {
        key: (known.size, known.etag) for key, known in etags.items() if known is not None
    }
    assert (found["before"].version, bool(found["again"].version)) == ("", True)


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "with versions"])
def test_a_purge_takes_a_run_s_objects_in_every_version_and_nothing_else(
    s3: S3Server, place: Bucket, bucket: str, versioned: bool
) -> None:
    """What a law wants gone must be gone, older versions included; a neighbour's must not go with it."""
    client, objects = s3.client(), RunObjects(place)
    if versioned:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    gone = ["heart/outputs/run-1/table.csv", "heart/io/runs/run-1/value"]
    kept = [
        *("heart/outputs/run-10/table.csv", "heart/io/runs/run-10/value", "heart/io/assets/run-1"),
        *("breast/outputs/run-1/table.csv", "heart/outputs/run-1.csv"),
    ]
    for key in (*gone, *kept, gone[0]):
        place.put(key, b"1234")
    if versioned:
        client.delete_object(Bucket=bucket, Key=gone[1])
    count = 3 if versioned else 2
    assert objects.measure("heart", Area.ARTIFACTS, "run-1") == (count, 4 * count)
    assert objects.measure("heart", Area.COMPUTE_LOGS, "run-1") == (0, 0)
    for _ in range(2):
        objects.remove("heart", Area.ARTIFACTS, "run-1")
    found = client.list_object_versions(Bucket=bucket)
    left = [each["Key"] for kind in ("Versions", "DeleteMarkers") for each in found.get(kind, ())]
    assert sorted(left) == sorted(kept)


def test_a_user_who_may_not_delete_is_told_what_a_purge_needs(
    s3: S3Server, place: Bucket, bucket: str
) -> None:
    """The service answers that all went well, and says further down what it has not done."""
    place.put("heart/outputs/run-1/table.csv", b"1234")
    everybody = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
        "Resource": [f"arn:aws:s3:::{bucket}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    s3.client().put_bucket_policy(Bucket=bucket, Policy=policy)
    with pytest.raises(PhemsError, match="DeleteObjectVersion"):
        RunObjects(place).remove("heart", Area.ARTIFACTS, "run-1")
    s3.client().delete_bucket_policy(Bucket=bucket)
    assert place.look("heart/outputs/run-1/table.csv") is not None
