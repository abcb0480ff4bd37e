"""`phems init`: a new node's folder with a commented node.yaml, or a Node Repo for Argo CD."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from phems.cli import output
from phems.errors import InputError

app = typer.Typer()

# Where each template goes; a name with a leading dot does not survive every packager, so ".gitignore"
# is kept without it.
FILES = {"node.yaml": "node.yaml", "README.md": "README.md", "gitignore": ".gitignore"}


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new node's folder; made if need be.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The node's name. Default: the folder's.", show_default=False),
    ] = None,
    gitops: Annotated[
        bool, typer.Option("--gitops", help="A Node Repo, which Argo CD delivers to a cluster.")
    ] = False,
    repo: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --gitops: where the Node Repo will be.", show_default=False),
    ] = None,
    chart_repo: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --gitops: the repo with phems' charts.", show_default=False),
    ] = None,
    chart_revision: Annotated[
        str | None,
        typer.Option(
            metavar="TAG", help="With --gitops: their version. Default: of this phems.", show_default=False
        ),
    ] = None,
) -> None:
    """Write a new node: a commented node.yaml, a README and a .gitignore.

    With --gitops it is for a cluster: the chart's values, what Argo CD needs, and a workflow beside it.
    """
    if gitops:
        from phems.cli.init_gitops import Addresses, init_node_repo

        init_node_repo(folder, _node_name(name, folder), Addresses.given(repo, chart_repo, chart_revision))
        return
    if repo or chart_repo or chart_revision:
        raise InputError(
            "--repo, --chart-repo and --chart-revision are of a Node Repo.",
            why="A node that Argo CD does not deliver has no use for them.",
            remedy="phems init DIR --gitops --repo URL --chart-repo URL",
        )
    target = folder / "node.yaml"
    if target.exists() or target.is_symlink():
        raise InputError(
            f"There is a node in {folder} already.",
            why=f"{target} exists, and it is never overwritten.",
            remedy=f"Edit it, then phems check {folder}; or name another folder.",
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", why="A node is a folder.", remedy="phems init ANOTHER")
    node_name = _node_name(name, folder)
    templates = resources.files("phems").joinpath("templates", "node")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # node.yaml last: a folder counts as a node only when the rest of it lies there.
    for template, file_name in reversed(FILES.items()):
        text = templates.joinpath(template).read_text(encoding="utf-8").replace("@NODE_NAME@", node_name)
        file = folder / file_name
        try:
            stream = file.open("x", encoding="utf-8")
        except FileExistsError:
            output.warn(f"{file} is there already and was left as it is.")
            continue
        written.append(str(file))
        try:
            with stream:
                stream.write(text)
        except BaseException:
            # A full disk, Ctrl-C: what was begun is taken back, so that trying again begins anew.
            for begun in written:
                Path(begun).unlink(missing_ok=True)
            raise
    output.done(
        {"folder": str(folder), "node": node_name, "written": written},
        f"Wrote {', '.join(written)}.\nNext: edit {target}, then: phems check {folder}",
    )


def _node_name(name: str | None, folder: Path) -> str:
    from phems.nodespec.names import NAME

    if name is not None:
        if re.fullmatch(NAME, name, re.ASCII) is None:
            raise InputError(
                f"{name!r} is not a name for a node.",
                why="A name starts with a small letter and has at most 63 small letters, digits and dashes.",
                remedy="phems init DIR --name st-mary",
            )
        return name
    guess = re.sub(r"[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-")[:63]
    return guess if re.fullmatch(NAME, guess, re.ASCII) else "my-node"
