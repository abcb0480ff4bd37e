"""What the command line can, the API can: whoever must not have an account on the node's machine needs it."""

from __future__ import annotations

from tests.integration.api.api_site import ApiSite

from phems.cli.app import COMMANDS, load
from phems.gateway.api.document import operations

# Nouns that are no governance, or are the engine's.
LEFT_OUT = {
    "run": "runs are launched and followed over GraphQL, which `phems run` speaks too",
    "broker": "who sets the broker up holds its administrator's login, on the node's machine",
    "db": "who sets the database up holds its administrator's login, on the node's machine",
    "render": "what it writes is made of node.yaml alone",
}
# Verbs that read or write files of who types, with no node at all.
OFFLINE = {"release.verify", "project.new", "project.constraints"}
# Verbs of the machine that a node's folders lie on, which whoever mends it has an account on anyway.
OF_THE_MACHINE = {"code.sync"}


def test_every_command_of_governance_has_a_route(site: ApiSite) -> None:
    """Otherwise somebody is given an account that can read the keys, for the sake of one command."""
    document = site.get("ana", "/openapi.json").json()
    routes = {operation["operationId"] for _, _, operation in operations(document)}
    commands = {
        f"{noun}.{verb}"
        for noun, entry in COMMANDS.items()
        if entry.noun and noun not in LEFT_OUT
        for verb in load(noun, entry).commands
    }
    assert commands - OFFLINE - OF_THE_MACHINE - routes == set()
    assert commands >= OFFLINE | OF_THE_MACHINE
