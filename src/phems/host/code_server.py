"""The code server: Dagster's own gRPC service over the definitions that the host has loaded."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from phems.contract.runtime import set_runtime
from phems.contract.step_order import HostOrder, code_server_id
from phems.host._dagster import DagsterApiServer, DagsterGrpcServer, FuturesAwareThreadPoolExecutor
from phems.host.connections import unix_connection
from phems.host.definitions import LoadedDefinitions
from phems.host.runtime import node_runtime
from phems.host.storage_client import StorageClient
from phems.host.storages import use_client

WORKERS = 8


def serve(order: HostOrder, loaded: LoadedDefinitions, ready_fd: int) -> None:
    """Serve until the process is ended; writes one byte to `ready_fd` when the socket listens."""
    client = StorageClient(unix_connection(order.storage_socket), Path(order.capability_file).read_text)
    use_client(client, None)
    set_runtime(node_runtime(order, client))  # sensors may look at granted data sources
    logger = logging.getLogger("phems.code_server")
    ended = threading.Event()
    with FuturesAwareThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="grpc") as executor:
        # The module is in sys.modules already: loading again is a look-up, not an import.
        servicer = DagsterApiServer(
            server_termination_event=ended,
            logger=logger,
            server_threadpool_executor=executor,
            loadable_target_origin=loaded.origin,
            location_name=order.location_name,
            fixed_server_id=f"{code_server_id(order.project, order.code_digest)}{os.getpid()}",
        )
        server = DagsterGrpcServer(
            server_termination_event=ended,
            dagster_api_servicer=servicer,
            logger=logger,
            threadpool_executor=executor,
            socket=order.code_server_socket,
        )
        os.write(ready_fd, b"1")
        os.close(ready_fd)
        server.serve()  # type: ignore[no-untyped-call]
