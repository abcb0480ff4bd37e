"""The storage section: buckets that would mix what must be apart, or go over the network in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from phems.nodespec import check_text, node_paths, parse_node

BASE = "version: 1\nnode: {name: node-a}\ncontroller: {name: b}\n"
SECTION = """\
storage:
  s3:
    endpoint: https://s3.hospital.example:9000/
    bucket: node-a
    release_bucket: node-a-releases
    ca: ca.pem
    object_lock_days: 30
"""


def test_a_node_keeps_its_files_in_folders_until_it_is_told() -> None:
    assert parse_node(BASE).storage.s3 is None
    assert parse_node(BASE + "storage:\n").storage.s3 is None


def test_buckets_are_described_without_a_secret() -> None:
    s3 = parse_node(BASE + SECTION).storage.s3
    assert s3 is not None
    assert s3.endpoint == "https://s3.hospital.example:9000"
    assert (s3.region, s3.credentials, s3.retry_seconds) == ("us-east-1", "env", 60)
    assert parse_node(BASE + "storage: {s3: {bucket: node-a}}").storage.s3 is not None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("https://s3.hospital.example:9000/", "http://s3.hospital.example"), "is not the address of an S3"),
        (("https://s3.hospital.example:9000/", "https://s3.hospital.example/?x"), "is not the address"),
        (("https://s3.hospital.example:9000/", "https://key:secret@s3.example"), "is not the address"),
        (("https://s3.hospital.example:9000/", "http://127.0.0.1:9000"), "ca is for https"),
        (("bucket: node-a\n", "bucket: s3://node-a\n"), "is not the name of a bucket"),
        (("bucket: node-a-releases", "bucket: node-a"), "is the bucket for releases too"),
        (("    release_bucket: node-a-releases\n", ""), "object_lock_days locks nothing"),
        (("object_lock_days: 30", "secret_key: abc"), "is not a key of a node spec"),
    ],
)
def test_storage_that_would_mix_or_show_what_it_must_not_is_refused(
    change: tuple[str, str], what: str
) -> None:
    problems = check_text(BASE + SECTION.replace(*change))
    assert any(what in problem.what for problem in problems), problems


def test_what_is_fetched_lies_apart_from_what_steps_write(tmp_path: Path) -> None:
    """Project code writes to its artifact area: what the node puts there could be led astray."""
    paths = node_paths(parse_node(BASE), tmp_path)
    assert not paths.fetched("heart").is_relative_to(paths.artifacts("heart"))
    assert paths.s3_credentials.parent == paths.keys
    assert paths.outgoing.parent == paths.data_dir


def test_a_key_misspelt_in_a_section_that_may_be_unset_is_met_with_the_one_that_is_meant() -> None:
    [problem] = check_text(BASE + SECTION.replace("release_bucket", "releases_bucket").split("    object")[0])
    assert problem.remedy == "did you mean release_bucket?"
