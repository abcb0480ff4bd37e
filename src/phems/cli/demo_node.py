"""The node of the demo: its folder made from the example hospital, its process, and people who type."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import phems
from phems.cli.demo_wheels import LOCKED, build_wheels
from phems.errors import InputError, UnavailableError

AUTHORS = {"heart-attack": "ana", "breast-cancer": "ben", "length-of-stay": "ana", "tumour-grade": "ben"}
PEOPLE = ("ana", "ben", "wei", "ingrid", "carol", "dmitri", "esra", "omar", "uma")
START_SECONDS = 60.0
STOP_SECONDS = 30.0
FIRST_PORT = 3000
PORTS = 200
STARTS = 3


class DemoNode:
    """The folder `.demo`: `node/` and `code/` as a hospital would have them, and the running node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.node = folder / "node"
        self.releases = folder / "releases"
        self.log = folder / "serve.log"
        self.tokens: dict[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Start afresh: a copy of the example, real git repos, real data, a free port."""
        example = _example()
        if self.folder.exists():
            self._remove()
        self.folder.mkdir(parents=True)
        shutil.copytree(example / "node", self.node)
        shutil.copytree(
            example / "code", self.folder / "code", ignore=shutil.ignore_patterns("__pycache__", ".*_cache")
        )
        spec = self.node / "node.yaml"
        text = spec.read_text()
        spec.write_text(re.sub(r"(?m)^release_zone: \S+", "release_zone: ../releases", text))
        self._take_free_port()
        shutil.copytree(example / "libraries", self.folder / "libraries")
        wheels = build_wheels(self.folder / "libraries", self.folder / "wheels")
        subprocess.run(
            [sys.executable, str(example / "make_data.py"), str(self.node / "sources")],
            check=True,
            capture_output=True,
        )
        locked = wheels()
        for project, version in LOCKED.items():
            (self.folder / "code" / project / "requirements.txt").write_text(locked[version])
        for project in AUTHORS:
            self.commit(project, "First version")

    def _take_free_port(self) -> int:
        spec, port = self.node / "node.yaml", _free_port()
        spec.write_text(re.sub(r"(?m)^(\s+port:) \d+", rf"\1 {port}", spec.read_text()))
        return port

    def commit(self, project: str, message: str) -> None:
        """Commit all of a Code Repo, as its analyst."""
        repo = self.folder / "code" / project
        author = AUTHORS[project]
        if not (repo / ".git").exists():
            _git(repo, author, "init", "--quiet", "--initial-branch=main")
        _git(repo, author, "add", "--all")
        _git(repo, author, "commit", "--quiet", "--message", message)

    def start(self, progress: Callable[[str], None]) -> None:
        """Start `phems serve` and wait until it answers. A port that is taken meanwhile is not waited for."""
        for more in reversed(range(STARTS)):
            port = self._take_free_port()
            self._serve()
            if self._comes(progress):
                return
            if not more or _is_free(port):
                raise UnavailableError("The node did not start.", why=self._last_words())

    def _serve(self) -> None:
        with self.log.open("ab") as log, _uninterrupted():
            self._server = subprocess.Popen(
                [sys.executable, "-m", "phems.cli", "--node", str(self.node), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _comes(self, progress: Callable[[str], None]) -> bool:
        """Whether it answers; not, when it has ended instead."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._server is None or self._server.poll() is not None:
                return False
            if self.status() is not None and self._answers():
                return True
            lines = self.log.read_text().splitlines()
            progress(lines[-1] if lines else "Starting ...")
            time.sleep(0.05)
        raise UnavailableError(
            f"The node did not answer within {START_SECONDS:.0f} s.", why=self._last_words()
        )

    def _last_words(self) -> str:
        return self.log.read_text()[-1500:]

    def stop(self) -> None:
        """Stop the node; idempotent."""
        if self._server is None or self._server.poll() is not None:
            return
        with _uninterrupted():
            self._server.send_signal(signal.SIGTERM)
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def wait(self) -> None:
        """Wait until the node ends or somebody presses Ctrl-C."""
        if self._server is not None:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.wait()

    def status(self) -> dict[str, Any] | None:
        """What the node says of itself."""
        from phems.adapters.status_file import read_status

        return read_status(self.node / "data" / "status.json")

    @property
    def url(self) -> str:
        """Where its gateway listens."""
        status = self.status()
        return str(status["url"]) if status else ""

    def act(self, who: str, *words: str, typed: str = "") -> tuple[int, Any]:
        """Type one `phems` command as a person: its exit code, and its JSON (its error's, when it failed).

        `typed` is what the person types when the command reads.
        """
        from phems.cli import session
        from phems.cli.app import run
        from phems.cli.failures import INTERRUPTED

        out, err = io.StringIO(), io.StringIO()
        arguments = ["--node", str(self.node), "--json", *words]
        if who in self.tokens:
            arguments = ["--token", self.tokens[who], *arguments]
        stdin, sys.stdin = sys.stdin, io.StringIO(typed)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments)
        finally:
            sys.stdin = stdin
        session.begin()  # the story's own errors are not JSON
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        text = out.getvalue() if code == 0 or not err.getvalue().strip() else err.getvalue()
        try:
            return code, json.loads(text)
        except ValueError:
            return code, text

    def graphql(self, who: str, query: str, **variables: Any) -> Any:
        """Ask the gateway as a person."""
        return self.post(who, "/graphql", {"query": query, "variables": variables})[1]

    def get(self, who: str, path: str) -> tuple[int, Any]:
        """Ask the gateway for something as a person: the status, and the JSON when it was given."""
        return self._ask(who, path, None)

    def post(self, who: str, path: str, question: Any) -> tuple[int, Any]:
        """Ask it something in JSON."""
        return self._ask(who, path, json.dumps(question).encode())

    def _ask(self, who: str, path: str, body: bytes | None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.tokens[who]}"}
        asked = urllib.request.Request(f"{self.url}{path}", body, headers)  # noqa: S310 (the node's own address)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)  # noqa: PLR2004
        except (OSError, ValueError):
            return False

    def _remove(self) -> None:
        status = self.status()
        if status is not None:
            raise UnavailableError(
                f"A demo still runs in {self.folder}.",
                why=f"its node is process {status['pid']}.",
                remedy=f"Stop it: kill {status['pid']}",
            )
        if not (self.folder / "node" / "node.yaml").exists() and any(self.folder.iterdir()):
            raise InputError(
                f"{self.folder} is not a demo's folder.",
                why="it has no node/node.yaml, and what is in it would be removed.",
                remedy="Name another with --folder.",
            )
        for path in self.folder.rglob("*"):  # approved code and packages are read-only
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end: broken off here, a node would be left that nobody stops."""
    came: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, keep) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            raise KeyboardInterrupt


def _example() -> Path:
    for folder in (Path(phems.__file__).resolve().parents[2], Path.cwd()):
        if (folder / "examples" / "hospital" / "node" / "node.yaml").exists():
            return folder / "examples" / "hospital"
    raise InputError(
        "The example hospital is not here.",
        why="it lies in the source checkout, in examples/hospital.",
        remedy="Run the demo from a checkout: make demo",
    )


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + PORTS):
        if _is_free(port):
            return port
    raise UnavailableError(f"No port from {FIRST_PORT} on is free.", remedy="Stop what listens there.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _git(repo: Path, author: str, *arguments: str) -> None:
    identity = ["-c", f"user.name={author}", "-c", f"user.email={author}@saint-alder.example"]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    try:
        subprocess.run(
            ["git", *identity, *arguments], cwd=repo, check=True, capture_output=True, env=environment
        )
    except FileNotFoundError as error:
        raise UnavailableError("Git is missing.", remedy="As root: apt-get install git") from error
