# ruff: noqa: INP001 (part of a script, not of a package)
"""The page `docs/reference/cli.md`, read from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phems.cli import session
from phems.cli.app import COMMANDS, load

HEAD = """\
# Command line

<!-- Written by docs/generate.py from phems.cli: edit there, then `make docs`. -->

`phems NOUN VERB`, or `phems VERB`. `phems NOUN --help` says the same in the terminal.

Every command takes these, anywhere on the line:

"""
SHARED = frozenset({"node", "json", "token", "help"})


def cli_page() -> str:
    """A section for each noun and each verb that stands alone, a table for the options of each verb."""
    parts = [HEAD, *_table(option for option in session.shared_options() if option.name in SHARED)]
    parts.append("Exit codes and errors: [exit codes](exit-codes.md).\n")
    for name, row in COMMANDS.items():
        command = load(name, row)
        parts.append(f"\n## phems {name}\n\n")
        if row.noun:
            parts.append(f"{row.help}\n")
            for verb, inner in command.commands.items():
                parts += [f"\n### phems {name} {verb}\n\n", *_section(f"phems {name} {verb}", inner)]
        else:
            parts += _section(f"phems {name}", command)
    return "".join(parts)


def _section(path: str, command: Any) -> Iterator[str]:
    own = [param for param in command.params if param.name not in SHARED]
    arguments = [param for param in own if _is_argument(param)]
    usage = " ".join([path, *(_in_usage(param) for param in arguments)])
    yield f"`{usage}`\n\n{_sentence(command.help)}\n"
    if own:
        yield "\n"
        yield from _table(own)


def _table(params: Any) -> Iterator[str]:
    yield "| | default | |\n|---|---|---|\n"
    for param in params:
        yield f"| {_name(param)} | {_default(param)} | {_cell(param.help or '')} |\n"
    yield "\n"


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _in_usage(param: Any) -> str:
    word = _word(param)
    return word if param.required else f"[{word}]"


def _word(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _name(param: Any) -> str:
    if _is_argument(param):
        return f"`{_word(param)}`"
    names = ", ".join(f"`{name}`" for name in [*param.opts, *param.secondary_opts])
    return names if param.is_flag else f"{names} `{_word(param)}`".replace("|", "\\|")


def _default(param: Any) -> str:
    if param.required:
        return "**required**"
    if param.default in (None, "", False) or callable(param.default):
        return ""
    return f"`{param.default}`" if not isinstance(param.default, bool) else f"`{param.opts[0]}`"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").replace("\b", "").split())


def _cell(text: str) -> str:
    return _sentence(text).replace("|", "\\|")
