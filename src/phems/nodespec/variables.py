"""What node.yaml has from the environment: env:NAME in place of a value."""

from __future__ import annotations

from collections.abc import Mapping

from phems.errors import InputError

FROM = "env:"


def variable_in(written: str | None) -> str | None:
    """The variable's name; None for a value that is written as it is, and for none."""
    return written.removeprefix(FROM) if written is not None and written.startswith(FROM) else None


def value_of(
    written: str | None, environ: Mapping[str, str], *, key: str, example: str = "..."
) -> str | None:
    """The value itself. `key` is where node.yaml names the variable, `example` how to come by a value."""
    name = variable_in(written)
    if name is None:
        return written
    if not environ.get(name):
        raise InputError(
            f"The environment variable {name} is not set.",
            why=f"{key} in node.yaml is read from it ({written}).",
            remedy=f"export {name}={example} where the node runs",
        )
    return environ[name]
