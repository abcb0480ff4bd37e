"""The node's credentials for S3, and what it says of what the service refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)

from phems.adapters.s3 import failures
from phems.adapters.s3.connection import client_of
from phems.errors import InputError, PhemsError, UnavailableError
from phems.nodespec import NodePaths, node_paths, parse_node
from phems.nodespec.storage import S3

SPEC = "version: 1\nnode: {name: node-a}\ncontroller: {name: b}\n"
GOOD = "[default]\naws_access_key_id = node-a\naws_secret_access_key = % of = secrets\n"


@pytest.fixture
def paths(tmp_path: Path) -> NodePaths:
    found = node_paths(parse_node(SPEC), tmp_path)
    found.keys.mkdir(parents=True)
    return found


def client(paths: NodePaths, text: str | None, mode: int = 0o600, **settings: Any) -> Any:
    if text is not None:
        paths.s3_credentials.write_text(text)
        paths.s3_credentials.chmod(mode)
    return client_of(S3(bucket="node-a", credentials="file", **settings), paths)


def test_the_keys_of_the_file_are_used_whatever_the_environment_says(
    paths: NodePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    found = client(paths, GOOD, endpoint="http://127.0.0.1:9")._request_signer._credentials
    assert (found.access_key, found.secret_key) == ("node-a", "% of = secrets")


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "cannot be used"),
        ("node-a:secret", 0o600, "cannot be used"),
        ("[other]\nkey = 1\n", 0o600, "cannot be used"),
        ("[default]\naws_access_key_id = node-a\n", 0o600, "no aws_secret_access_key"),
        (GOOD, 0o640, "can be read by others"),
    ],
)
def test_a_file_that_cannot_do_or_that_others_read_is_told(
    paths: NodePaths, text: str | None, mode: int, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        client(paths, text, mode)
    assert words in str(refused.value)
    assert "secrets" not in str(refused.value)


def answered(status: int, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )


@pytest.mark.parametrize(
    ("error", "kind", "why", "remedy", "again"),
    [
        (answered(404, "NoSuchBucket"), UnavailableError, "no such bucket", "Make the bucket", False),
        (answered(403, "AccessDenied"), UnavailableError, "may not do that", "PutObject", False),
        (answered(403, "403"), UnavailableError, "may not do that", "PutObject", False),
        (answered(403, "InvalidAccessKeyId"), UnavailableError, "access key", "credentials", False),
        (answered(403, "SignatureDoesNotMatch"), UnavailableError, "secret key", "credentials", False),
        (answered(403, "RequestTimeTooSkewed"), UnavailableError, "clocks", "timedatectl", False),
        (answered(418, "Teapot"), UnavailableError, "418 Teapot", "own log", False),
        (answered(503, "SlowDown"), UnavailableError, "503 SlowDown", "own log", True),
        (answered(400, "BadDigest"), UnavailableError, "400 BadDigest", "own log", True),
        (NoCredentialsError(), InputError, "no credentials", "storage.s3.credentials", False),
        (EndpointConnectionError(endpoint_url="http://h"), UnavailableError, "not answer", "runs", True),
        (ReadTimeoutError(endpoint_url="http://h"), UnavailableError, "not answer", "runs", True),
        (SSLError(endpoint_url="http://h", error="self-signed"), UnavailableError, "trusted", "ca", False),
    ],
)
def test_a_refusal_says_why_and_what_to_do_and_is_tried_again_where_that_helps(
    error: Exception, kind: type[PhemsError], why: str, remedy: str, again: bool
) -> None:
    told = failures.told("The object cannot be written", "s3://node-a/", error)
    assert type(told) is kind
    assert why in told.why
    assert remedy in told.remedy
    assert failures.is_worth_another_try(error) is again
