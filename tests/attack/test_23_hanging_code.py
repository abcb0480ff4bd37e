"""Case 23, first form: code that hangs at import, or whose code server is mute, harms no other project."""

from __future__ import annotations

import time

import pytest
from attacked_node import INTRUDER, WARD, AttackedNode, until

from phems.engine import hosts

HANGS = "import time\n\ntime.sleep(3600)\n"
MUTE = '''"""Definitions whose code server listens and never answers."""
import os
import socket
import threading

import dagster as dg

from phems.host import code_server


def serve(order, loaded, ready_fd):
    server = socket.socket(socket.AF_UNIX)
    server.bind(order.code_server_socket)
    server.listen()
    os.write(ready_fd, b"1")
    held = []
    while True:
        held.append(server.accept())


code_server.serve = serve
defs = dg.Definitions()
'''
DEFINITIONS = "src/intruder/definitions.py"


def test_an_import_that_hangs_is_ended_and_said(
    own_site: AttackedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a project would be 'starting' for ever, and its memory held."""
    site = own_site
    monkeypatch.setattr(hosts, "LOAD_SECONDS", 3.0)
    digest = site.deliver(INTRUDER, {DEFINITIONS: HANGS})
    control = site.serving.control
    host = until(
        lambda: (h := control.hosts.current(INTRUDER)) and h.plan.code_digest == digest and h,
        10,
        "a new host",
    )
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id, 10).is_success
    until(lambda: host.state.value == "FAILED", 15, "the host is given up")
    assert "did not load within 3 s" in host.error
    assert host.status(is_current=True).pid is None
    run_id = site.launch(WARD, "count_job")
    assert site.wait(run_id, 10).is_success


def test_a_mute_code_server_keeps_nobody_waiting(own_site: AttackedNode) -> None:
    """Otherwise one project's silence would stop the launches of all."""
    site = own_site
    digest = site.deliver(INTRUDER, {DEFINITIONS: MUTE})
    control = site.serving.control
    until(
        lambda: (
            (host := control.hosts.current(INTRUDER))
            and host.plan.code_digest == digest
            and host.state.value == "READY"
        ),
        30,
        "the mute host is ready",
    )
    for _ in range(3):
        began = time.monotonic()
        run_id = site.launch(WARD, "count_job")
        assert site.wait(run_id, 10).is_success
        assert time.monotonic() - began < 10
    ward = (site.folder / "repos" / WARD / "src" / WARD / "definitions.py").read_text()
    fresh = site.deliver(WARD, {f"src/{WARD}/definitions.py": ward + "\n"})
    began = time.monotonic()
    site.wait_for_code(WARD, fresh)
    assert time.monotonic() - began < 30
