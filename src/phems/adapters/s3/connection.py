"""A client of the service that node.yaml names: its address, its certificate, the node's credentials."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path
from typing import Any

from phems.errors import InputError
from phems.nodespec.paths import NodePaths
from phems.nodespec.storage import S3

_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_KEYS = ("aws_access_key_id", "aws_secret_access_key")


def client_of(s3: S3, paths: NodePaths) -> Any:
    """A client; safe for use from several threads."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise InputError(
            "Storage on S3 needs boto3, which is not installed.",
            why=str(error),
            remedy="pip install 'phems-node[node,s3]'",
        ) from error
    named = _from_file(paths.s3_credentials) if s3.credentials == "file" else {}
    return boto3.session.Session(region_name=s3.region, **named).client(
        "s3",
        endpoint_url=s3.endpoint,
        verify=str(paths.resolve(s3.ca)) if s3.ca else None,
        config=Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=32,
            # `Patience` tries again: it knows what may be tried, and for how long.
            retries={"mode": "standard", "total_max_attempts": 1},
            # The SHA-256 of each body is part of its signature, over TLS too: every service checks that. The
            # newer checksums in trailers are refused by many.
            s3={
                "payload_signing_enabled": True,
                "addressing_style": "path" if s3.endpoint else "auto",
            },
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _from_file(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, default_section="none")
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise InputError(
                f"{path} can be read by others.",
                why="it holds the secret key of the node.",
                remedy=f"chmod 600 {path}",
            )
        parser.read_string(path.read_text(encoding="utf-8"))
        found = dict(parser["default"])
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or "it is not of the form") from error
    missing = [key for key in _KEYS if not found.get(key)]
    if missing:
        raise _unusable(path, f"it has no {missing[0]}")
    names = (*_KEYS, "aws_session_token")
    return {name: found[name] for name in names if found.get(name)}


def _unusable(path: Path, why: str) -> InputError:
    return InputError(
        f"The credentials for S3 in {path} cannot be used.",
        why=f"{why}.",
        remedy="Write [default], then aws_access_key_id = ... and aws_secret_access_key = ..., a line each",
    )
