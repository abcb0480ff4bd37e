"""What a person does with their phone: set up the second factor of a user of the node here."""

from __future__ import annotations

import sys
from pathlib import Path

import pyotp

from phems.bootstrap import open_node
from phems.domain.actors import Actor

with open_node(Path.cwd()) as node:
    person = Actor(sys.argv[1])
    node.users.begin_second_factor(person)
    shared = node.users.second_factor(person.name).shared
    assert shared is not None
    node.users.confirm_second_factor(person, pyotp.TOTP(shared.text).now())
