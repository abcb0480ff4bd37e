"""The kinds of text that a cluster allows: names, labels, images by digest."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from phems.nodespec.names import matching, refuse

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
"""RFC 1123: namespaces, claims, and the names of pods."""
SUBDOMAIN = rf"{LABEL}(?:\.{LABEL})*"
_LABEL_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
LABEL_KEY = rf"(?:{SUBDOMAIN}/)?{_LABEL_NAME}"
LABEL_VALUE = rf"(?:{_LABEL_NAME})?"
PROJECT = "{project}"
NAMESPACE = rf"(?:[a-z0-9][a-z0-9-]{{0,50}})?{re.escape(PROJECT)}(?:[a-z0-9-]{{0,50}}[a-z0-9])?"
# A registry's host and port, then a path in small letters, as in the distribution specification.
IMAGE = (
    r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[1-9][0-9]{0,4})?"
    r"(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*){0,10}@sha256:[0-9a-f]{64}"
)
MOST_IN_SUBDOMAIN = 253
NAMESPACE_OF = "{namespace}"
HOST_ADDRESS = rf"(?:[A-Za-z0-9.-]|{re.escape(NAMESPACE_OF)}){{1,200}}:[1-9][0-9]{{0,4}}"


def _image(value: str) -> str:
    if re.fullmatch(IMAGE, value, re.ASCII) is not None:
        return value
    has_tag = "@" not in value
    raise refuse(
        f"{value[:80]!r} does not name an image by its digest",
        why="a tag can be moved to other code after it was looked at"
        if has_tag
        else "it is a name, then @sha256: and 64 hexadecimal digits, without a tag",
        remedy="write it as in registry.example/phems/project@sha256:0123... "
        "(skopeo inspect, or docker buildx imagetools inspect, tells the digest)",
    )


ImageByDigest = Annotated[str, AfterValidator(_image), Field(json_schema_extra={"pattern": f"^{IMAGE}$"})]
"""A container image, by its digest and not by a tag."""

NamespacePattern = Annotated[
    str,
    AfterValidator(
        matching(
            NAMESPACE,
            what="{value} is not a pattern of namespaces",
            why="each project has a namespace of its own, so {project} stands in it once, "
            "among small letters, digits and dashes",
            remedy="write it as in phems-{project}",
        )
    ),
    Field(json_schema_extra={"pattern": f"^{NAMESPACE}$"}),
]
"""How the namespace of a project is called."""

HostAddress = Annotated[
    str,
    AfterValidator(
        matching(
            HOST_ADDRESS,
            what="{value} is not the address of projects' hosts",
            why="it is a name or an IPv4 address, with {namespace} where the project's stands, and a port",
            remedy="write it as in phems-host.{namespace}.svc:7442",
        )
    ),
    Field(json_schema_extra={"pattern": f"^{HOST_ADDRESS}$"}),
]
"""Where the pod of a project's host is reached."""

ObjectName = Annotated[
    str,
    AfterValidator(
        matching(
            SUBDOMAIN,
            what="{value} is not the name of an object in a cluster",
            why="a name has small letters, digits, dashes and dots (RFC 1123)",
            remedy="write it as kubectl get shows it",
        )
    ),
    Field(max_length=MOST_IN_SUBDOMAIN, json_schema_extra={"pattern": f"^{SUBDOMAIN}$"}),
]
"""The name of an object in the cluster, such as a claim or a class."""

LabelKey = Annotated[
    str,
    AfterValidator(
        matching(
            LABEL_KEY,
            what="{value} is not the key of a label",
            why="a key has letters, digits, dashes, underscores and dots, maybe after a domain and a slash",
            remedy="write it as in kubernetes.io/arch",
        )
    ),
    Field(max_length=MOST_IN_SUBDOMAIN + 64, json_schema_extra={"pattern": f"^{LABEL_KEY}$"}),
]
"""The key of a label or taint."""

LabelValue = Annotated[
    str,
    AfterValidator(
        matching(
            LABEL_VALUE,
            what="{value} is not the value of a label",
            why="a value has up to 63 letters, digits, dashes, underscores and dots",
            remedy='write it in quotes, as in "true"',
        )
    ),
    Field(json_schema_extra={"pattern": f"^{LABEL_VALUE}$"}),
]
"""The value of a label or taint."""
