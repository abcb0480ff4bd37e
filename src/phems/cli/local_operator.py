"""Who acts when a command is about the node itself: the user of the token, or else the local operator.

Whoever can read the node's keys folder can do as they like with the node, so the command line lets them
add the first users and read the audit log without a token; the log then names `local-operator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phems.cli import session
from phems.domain.actors import LOCAL_OPERATOR, Actor
from phems.domain.permissions import Verb, check_may

if TYPE_CHECKING:
    from phems.bootstrap import Node


def acting(node: Node, verb: Verb) -> Actor:
    """Who acts, once they may do `verb`; RefusedError names the role that a token's user lacks."""
    if not session.has_token():
        return LOCAL_OPERATOR
    actor = node.actor_from_token(session.token())
    check_may(actor.name, node.roles_in(actor.name), verb)
    return actor
