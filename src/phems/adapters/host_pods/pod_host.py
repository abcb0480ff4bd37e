"""A host in its project's pod, as a `HostProcess` of this machine, with its code server at a socket here.

Whoever connects to that socket is carried to the code server in the pod, and what the host asks the storage
service is carried from there to the node's own. The pod is the project's: how many streams it can use up here
is counted, and what it says goes through unread, to those who do not believe it in any profile.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from phems.adapters.host_pods.streams import Streams
from phems.adapters.sandbox.orders import SOCKET_NAME
from phems.contract.frames import receive_frame
from phems.contract.host_pod import MAX_PACKET_FRAME_BYTES, Opening
from phems.contract.relay import relay
from phems.contract.step_order import HostOrder
from phems.engine.capabilities import LOCATION_SECONDS
from phems.engine.sandbox import HostPlan
from phems.errors import IntegrityError, PhemsError, UnavailableError

MAX_CODE_STREAMS = 32
MAX_STORAGE_STREAMS = 8
OPENED_SECONDS = 30.0
# A stream that no storage call takes is opened anew, with a capability that lives longer.
OFFER_SECONDS = LOCATION_SECONDS / 4
# A pod that ends each stream at once is not given the next one at once.
BETWEEN_OFFERS_SECONDS = 0.1
NOT_TAKEN = (
    "The pod of the project's host hung up: it is just ending, or its keys are not of this node's secret "
    "(phems render host-secrets)."
)
NO_CODE = (
    "The pod of the project's host does not see the code revision (yet): its volume for code "
    "(kubernetes.claims.code) is to show the project's folder of the Code Mount."
)
ENDED = "The pod of the project's host ended, or the connection to it was cut. It is tried again."


class PodHost:
    """Runs from `begin` until it is killed, or the pod ends. See `engine.sandbox.HostProcess`."""

    pid = None

    def __init__(self, plan: HostPlan, order: HostOrder, streams: Callable[[], Streams]) -> None:
        self._plan = plan
        self._order = order
        self._streams = streams()
        self._name = ""
        self._reason = ""
        self._ended = threading.Event()
        self._is_killed = threading.Event()
        self._code_places = threading.BoundedSemaphore(MAX_CODE_STREAMS)
        self._storage_places = threading.BoundedSemaphore(MAX_STORAGE_STREAMS)
        # The folder is the control process's own here: nothing in a pod can write to it.
        self._listening = socket.socket(socket.AF_UNIX)
        try:
            self._listening.bind(str(plan.host_dir / SOCKET_NAME))
            self._listening.listen(MAX_CODE_STREAMS)
        except OSError:
            self._listening.close()
            raise
        self.control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._streams.keep(self._listening)
        self._streams.keep(self._theirs)

    def begin(self) -> None:
        """Connect and converse, in threads of its own."""
        self._start(self._converse)

    def wait(self) -> int:
        """Wait until it has ended."""
        self._ended.wait()
        self.control.close()
        return 0 if self._is_killed.is_set() else 1

    def kill(self) -> None:
        """End it: the pod ends the process whose connection ends. Nothing is waited for."""
        self._is_killed.set()
        self._streams.close()

    def why_ended(self) -> str:
        """What came between, as this side saw it."""
        return self._reason

    def _converse(self) -> None:
        try:
            self._hear(self._open_host())
        except (OSError, PhemsError) as error:
            self._reason = error.what if isinstance(error, PhemsError) else ENDED
        finally:
            self._streams.close()
            self._streams.drop(self._theirs)
            self._streams.drop(self._listening)
            self._ended.set()

    def _open_host(self) -> ssl.SSLSocket:
        opening = Opening("host", order=self._order.to_json(), capability=self._capability())
        peer = self._streams.open(opening)
        try:
            said = receive_frame(peer, MAX_PACKET_FRAME_BYTES, until=time.monotonic() + OPENED_SECONDS)
        except OSError as error:
            raise UnavailableError(NOT_TAKEN) from error
        if not isinstance(said, dict) or not isinstance(name := said.get("host"), str):
            raise UnavailableError(NOT_TAKEN)
        if not name:
            raise UnavailableError(NO_CODE)
        self._name = name
        peer.settimeout(None)
        self._start(self._take_callers)
        self._start(self._offer_storage)
        return peer

    def _hear(self, peer: ssl.SSLSocket) -> None:
        while (said := receive_frame(peer, MAX_PACKET_FRAME_BYTES)) is not None:
            if not isinstance(said, dict) or not isinstance(packet := said.get("packet"), str):
                raise IntegrityError("The pod of the project's host says what nobody knows.")
            self._theirs.send(packet.encode())
        self._reason = ENDED

    def _take_callers(self) -> None:
        """Carry each connection to this side's socket to the code server in the pod."""
        with suppress(OSError):
            while True:
                caller = self._listening.accept()[0]
                if self._code_places.acquire(blocking=False):
                    self._start(self._carry, caller, Opening("code", self._name), self._code_places)
                else:
                    caller.close()

    def _offer_storage(self) -> None:
        """Keep a stream open that the next storage call of the host can take."""
        while not self._ended.wait(BETWEEN_OFFERS_SECONDS) and not self._streams.is_closed:
            if not self._storage_places.acquire(timeout=BETWEEN_OFFERS_SECONDS):
                continue
            is_taken = False
            try:
                peer = self._streams.open(Opening("wall", self._name, capability=self._capability()))
                is_taken = _says_something(peer, OFFER_SECONDS)
                if is_taken:
                    self._start(self._let_ask, peer)
                else:
                    self._streams.drop(peer)
            except (OSError, PhemsError):
                continue
            finally:
                if not is_taken:
                    self._storage_places.release()

    def _let_ask(self, peer: ssl.SSLSocket) -> None:
        try:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as there:
                there.connect(str(self._plan.storage_socket))
                relay(peer, there)
        finally:
            self._streams.drop(peer)
            self._storage_places.release()

    def _carry(self, caller: socket.socket, opening: Opening, places: threading.Semaphore) -> None:
        try:
            with caller, suppress(OSError, PhemsError):
                peer = self._streams.open(opening)
                try:
                    relay(caller, peer)
                finally:
                    self._streams.drop(peer)
        finally:
            places.release()

    def _capability(self) -> str:
        return self._plan.capability_file.read_text()

    def _start(self, act: Callable[..., None], *arguments: object) -> None:
        name = f"phems-pod-{self._plan.project}"
        threading.Thread(target=act, args=arguments, name=name, daemon=True).start()


def _says_something(peer: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(peer, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
