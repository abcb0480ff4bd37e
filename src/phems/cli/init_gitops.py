"""`phems init --gitops`: a Node Repo, ready for Argo CD but for the addresses and digests that are yours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

from phems import __version__
from phems.cli import output
from phems.cli.fresh_folder import check_free, write_files
from phems.errors import InputError
from phems.nodespec.gitops import CHART_REVISION, GIT_ADDRESS

# Where each template goes. What follows from node.yaml is rendered, and lies beside them.
FILES: Mapping[str, str] = {
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "check.yaml": ".github/workflows/check.yaml",
    "operator.yaml": "chart/operator.yaml",
}
_COMMAND = "phems init DIR --gitops --repo URL --chart-repo URL"


@dataclass(frozen=True)
class Addresses:
    """What Argo CD reads."""

    repo: str
    chart_repo: str
    chart_revision: str

    @classmethod
    def given(cls, repo: str | None, chart_repo: str | None, chart_revision: str | None) -> Self:
        """From the command line; InputError says which of the two that nobody can guess is missing."""
        named = {"--repo": repo, "--chart-repo": chart_repo}
        missing = [option for option, value in named.items() if not value]
        if not repo or not chart_repo:
            raise InputError(
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
                why="Argo CD reads the Node Repo and the charts from there.",
                remedy=_COMMAND,
            )
        found = cls(repo, chart_repo, chart_revision or f"v{__version__}")
        _check("--repo", found.repo, GIT_ADDRESS, "https://git.hospital.example/node.git")
        _check("--chart-repo", found.chart_repo, GIT_ADDRESS, "git@git.hospital.example:phems/phems.git")
        _check("--chart-revision", found.chart_revision, CHART_REVISION, f"v{__version__}")
        return found


def init_node_repo(folder: Path, node: str, addresses: Addresses) -> None:
    """Write the Node Repo, and say what is left to do."""
    check_free(folder, what="Node Repo", remedy="phems init ANOTHER --gitops")
    written = write_files(folder, node_repo_files(node, addresses))
    output.done(
        {"folder": str(folder), "node": node, "written": written},
        f"Wrote {folder}: {len(written)} files.\n"
        f"Next: replace what ends in .example, as {folder / 'README.md'} says; then: phems check --spec-only "
        f"{folder}",
    )


def node_repo_files(node: str, addresses: Addresses) -> dict[str, str]:
    """The files of a Node Repo, by their places; SpecError when an address is none."""
    from phems.nodespec import FILE_NAME, parse_node
    from phems.render.chart_values import chart_values, values_text
    from phems.render.gitops import gitops_files

    templates = resources.files("phems").joinpath("templates", "node_repo")

    def filled(template: str) -> str:
        text = templates.joinpath(template).read_text(encoding="utf-8")
        for mark, value in (
            ("@NODE_NAME@", node),
            ("@REPO@", addresses.repo),
            ("@CHART_REPO@", addresses.chart_repo),
            ("@CHART_REVISION@", addresses.chart_revision),
        ):
            text = text.replace(mark, value)
        return text

    spec_text = filled(FILE_NAME)
    spec = parse_node(spec_text)
    return {
        **{place: filled(template) for template, place in FILES.items()},
        "chart/values.yaml": values_text(chart_values(spec, spec_text)),
        **{f"gitops/{place}": text for place, text in gitops_files(spec).items()},
        # Last: a folder counts as a node only when the rest of it lies there.
        FILE_NAME: spec_text,
    }


def _check(option: str, value: str, pattern: str, example: str) -> None:
    if re.fullmatch(pattern, value, re.ASCII) is None:
        raise InputError(
            f"{option} is given {value[:80]!r}, which Argo CD cannot read.",
            why="It reads https and ssh addresses without a password, and charts of a version, no branch.",
            remedy=f"{option} {example}",
        )
