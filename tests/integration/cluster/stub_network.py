"""The network of a pod of the small cluster: none, but to and from the ports that policies open to it.

A pod has a network of its own, with nothing in it. For each port that a policy names, the pod begins with a
socket that listens there, on its own loopback; this side takes what connects, and hands it on to that port of
this machine, where workers are. What is said goes through unread.

A port of a pod that a Service shows, and a policy lets others reach, is reached at a port of this machine:
the pod begins with a process that connects there, in the pod's network, each time that somebody does here.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from stub_store import Store

HERE = "127.0.0.1"
PART = 1 << 16
# Runs in the pod, before its own command: the sockets belong to the pod's network, whoever holds them.
_LISTEN = """
import os, socket, sys
fd, ports, command = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
listening = [socket.create_server(("127.0.0.1", int(port))) for port in ports]
with socket.socket(fileno=fd) as outside:
    socket.send_fds(outside, [b"here"], [each.fileno() for each in listening])
for each in listening:
    each.close()
os.execvp(command[0], command)
"""

# Runs in the pod beside its own command, as nobody's child: who is that command's is its own to end.
_CONNECT = """
import os, socket, sys
fd, port, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
if os.fork() == 0:
    if os.fork() == 0:
        with socket.socket(fileno=fd) as outside:
            while outside.recv(1):
                try:
                    peer = socket.create_connection(("127.0.0.1", port), 5)
                except OSError:
                    outside.send(b"-")
                else:
                    peer.settimeout(None)
                    socket.send_fds(outside, [b"+"], [peer.fileno()])
                    peer.close()
    os._exit(0)
os.wait()
os.close(fd)
os.execvp(command[0], command)
"""


def shown_port(store: Store, namespace: str, labels: Mapping[str, str]) -> int | None:
    """The port of a pod with these labels that a Service shows, and that a policy lets others reach."""
    shown = [
        port["targetPort"]
        for spec in _specs(store, "services", namespace)
        if spec["selector"].items() <= labels.items()
        for port in spec["ports"]
    ]
    let_in = [
        port["port"]
        for spec in _specs(store, "networkpolicies", namespace)
        if spec["podSelector"].get("matchLabels", {}).items() <= labels.items()
        for rule in spec.get("ingress", ())
        for port in rule["ports"]
    ]
    return next((port for port in shown if port in let_in), None)


def _specs(store: Store, kind: str, namespace: str) -> list[Any]:
    found = list(store.objects.items())
    return [each["spec"] for (of, where, _), each in found if (of, where) == (kind, namespace)]


def open_ports(store: Store, namespace: str, labels: Mapping[str, str]) -> list[int]:
    """The ports that a pod with these labels may reach."""
    found: list[int] = []
    for spec in _specs(store, "networkpolicies", namespace):
        if spec["podSelector"].get("matchLabels", {}).items() <= labels.items():
            for rule in spec.get("egress", ()):
                for port in rule["ports"]:
                    found += range(port["port"], port.get("endPort", port["port"]) + 1)
    return found


class PodNetwork:
    """One pod's; `command` begins the pod's own, `inherited` goes with it. `serve` until `close`."""

    def __init__(self, ports: Sequence[int], door: tuple[int, int] | None = None) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._closed, self._closing = socket.socketpair()
        ports_text = ",".join(map(str, ports))
        self.inherited = [self._theirs.fileno()] if ports else []
        self.command = ["python3", "-c", _LISTEN, str(self._theirs.fileno()), ports_text] if ports else []
        self._count = len(ports)
        self._inside, self._outside = socket.socketpair()
        self._asking = threading.Lock()
        self._shown: socket.socket | None = None
        if door is not None:
            port, here = door
            self.inherited.append(self._inside.fileno())
            self.command += ["python3", "-c", _CONNECT, str(self._inside.fileno()), str(port)]
            self._shown = socket.create_server((HERE, here))

    def serve(self) -> None:
        """Hand on what connects, in threads of its own."""
        self._theirs.close()
        self._inside.close()
        if self._count:
            threading.Thread(target=self._serve, daemon=True).start()
        if self._shown is not None:
            threading.Thread(target=self._let_in, args=(self._shown,), daemon=True).start()

    def close(self) -> None:
        """The pod is gone."""
        self._closing.close()
        if self._shown is not None:
            with suppress(OSError):
                self._shown.shutdown(socket.SHUT_RDWR)
            self._shown.close()
        self._outside.close()

    def _let_in(self, shown: socket.socket) -> None:
        with suppress(OSError):
            while True:
                caller = shown.accept()[0]
                with self._asking:
                    self._outside.send(b"?")
                    _, fds, _, _ = socket.recv_fds(self._outside, 1, 1)
                if fds:
                    ends = (caller, socket.socket(fileno=fds[0]))
                    threading.Thread(target=_join, args=ends, daemon=True).start()
                else:
                    caller.close()

    def _serve(self) -> None:
        with self._ours, self._closed, selectors.DefaultSelector() as selector:
            _, fds, _, _ = socket.recv_fds(self._ours, 16, max(1, self._count))
            for each in (*(socket.socket(fileno=fd) for fd in fds), self._closed):
                selector.register(each, selectors.EVENT_READ)
            while not any(key.fileobj is self._closed for key in self._ready(selector)):
                pass
            for key in list(selector.get_map().values()):
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]

    def _ready(self, selector: selectors.BaseSelector) -> list[selectors.SelectorKey]:
        """What can be read, once what connects has been taken."""
        ready = [key for key, _ in selector.select()]
        for key in ready:
            listening = key.fileobj
            if isinstance(listening, socket.socket) and listening is not self._closed:
                peer, (_, port) = listening.accept()[0], listening.getsockname()
                threading.Thread(target=_hand_on, args=(peer, port), daemon=True).start()
        return ready


def _hand_on(peer: socket.socket, port: int) -> None:
    with peer:
        try:
            there = socket.create_connection((HERE, port), 5)
        except OSError:
            return  # nobody listens: the pod finds its connection closed
        there.settimeout(None)
        _join(peer, there)


def _join(one: socket.socket, other: socket.socket) -> None:
    with one, other:
        back = threading.Thread(target=_pump, args=(other, one), daemon=True)
        back.start()
        _pump(one, other)
        back.join()


def _pump(source: socket.socket, target: Any) -> None:
    with suppress(OSError):
        while part := source.recv(PART):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
