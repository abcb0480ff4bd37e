"""A running node with two projects: `ward`, which has patients, and `intruder`, which wants them.

The node is the real one (Postgres, bubblewrap, storage service, daemons); only the web page is left
out. What hostile steps find they print as one line of JSON; it is read from the captured log, outside.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attacked_node import WARD, AttackedNode, until, write_node_repo
from gateway_node import GatewayNode
from tests.folders import copy_whole, open_folder

from phems.adapters.sandbox import bubblewrap

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies in this folder is an attack."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.attack)


@pytest.fixture(scope="session")
def sandbox() -> None:
    """The wall needs bubblewrap: without it these tests fail, they do not look away."""
    if bubblewrap.find() is None:
        pytest.fail(
            "bubblewrap is missing or may not make namespaces here, so nothing about the wall can be shown. "
            "Remedy (as root): apt-get install bubblewrap"
        )


@pytest.fixture(scope="session", autouse=True)
def inherited_key() -> None:
    """A key in the session keyring of whoever starts the node, as a Kerberos log-in leaves one there."""
    libc = ctypes.CDLL(None, use_errno=True)
    keyctl, add_key, join, session = 250, 248, 1, -3
    if platform.machine() == "x86_64" and libc.syscall(keyctl, join, None) >= 0:
        assert libc.syscall(add_key, b"user", b"phems-attack", b"ticket", 6, session) > 0


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """One for the whole session."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="package")
def site(sandbox: None, short_folder: Path) -> Iterator[AttackedNode]:
    """The node of most tests: both projects approved, their hosts ready."""
    with started(short_folder / "site") as node:
        yield node


def started(folder: Path) -> AttackedNode:
    """A node in `folder`; use it in a `with` block, which starts and stops it."""
    write_node_repo(folder)
    return AttackedNode(folder)


@pytest.fixture(scope="session")
def stopped_site(sandbox: None) -> Iterator[Path]:
    """A node that has approved both projects and was stopped: a copy of it starts in half the time."""
    with open_folder() as folder:
        with started(folder / "site"):
            pass
        yield folder / "site"


@pytest.fixture
def own_site(stopped_site: Path) -> Iterator[AttackedNode]:
    """A node for one test alone, which may break it."""
    with a_copy(stopped_site) as node:
        yield node


@pytest.fixture(scope="module")
def module_site(stopped_site: Path) -> Iterator[AttackedNode]:
    """A node for the tests of one module."""
    with a_copy(stopped_site) as node:
        yield node


@contextmanager
def a_copy(stopped: Path) -> Iterator[AttackedNode]:
    """A copy of a stopped node, serving."""
    with open_folder() as folder:
        copy_whole(stopped, folder / "site")
        with AttackedNode(folder / "site") as node:
            yield node


@pytest.fixture
def own_waiting_site(module_site: AttackedNode) -> Iterator[AttackedNode]:
    """A node whose ward runs a job that waits, so that the ward's next run waits in the queue."""
    site = module_site
    run_id = site.launch(WARD, "waiting_job")
    until(lambda: "wait_for_go" in site.started_steps(run_id), 20, "the ward's job waits")
    yield site
    (site.data / "artifacts" / WARD / "go").touch()
    site.wait(run_id)
    (site.data / "artifacts" / WARD / "go").unlink()


@pytest.fixture(scope="package")
def gateway_node(sandbox: None) -> Iterator[GatewayNode]:
    """A node with its gateway and two projects with a history each."""
    with open_folder() as folder, GatewayNode(folder / "node") as node:
        yield node
