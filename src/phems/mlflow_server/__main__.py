"""MLflow's own server on a Unix socket, in one process; what it is to be comes as a line of JSON on stdin.

`mlflow server` would start a second process of 300 MB beside itself and hand it the same settings. Their
names are MLflow's private ones, in `SETTINGS` and `FIXED` alone, and pinned by a test.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from phems.contract.mlflow import FILE_SCHEME

SETTINGS: Mapping[str, str] = {
    "database": "_MLFLOW_SERVER_FILE_STORE",
    "artifacts": "_MLFLOW_SERVER_ARTIFACT_DESTINATION",
    "prefix": "_MLFLOW_STATIC_PREFIX",
}
FIXED: Mapping[str, str] = {
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
    "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "_MLFLOW_SGI_NAME": "uvicorn",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # Who may ask is decided before a request comes here, and nobody else reaches the socket.
    "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "4",
}


def main(order: Mapping[str, Any]) -> None:
    """Bring the tables about, and serve until the process is ended."""
    os.environ.update(FIXED)
    os.environ.update({variable: str(order[name]) for name, variable in SETTINGS.items()})
    import uvicorn

    if str(order["artifacts"]).startswith(FILE_SCHEME):
        from phems.mlflow_server.node_files import register

        register()
    _bring_about_tables(str(order["database"]))
    uvicorn.run(
        "mlflow.server.fastapi_app:app",
        uds=str(order["socket"]),
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def _bring_about_tables(database: str) -> None:
    """What `mlflow db upgrade` does: make the tables of an empty schema, or bring older ones up to date."""
    from mlflow.db import upgrade
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    # A node of several processes may start a server of one project in two of them at once.
    with create_engine(database, poolclass=NullPool).connect() as alone:
        alone.execute(text("SELECT pg_advisory_lock(hashtext('mlflow ' || current_schema()))"))
        upgrade.main([database], standalone_mode=False)


def _end_with_the_node() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    # The node keeps the other end open for as long as it lives.
    threading.Thread(target=_end_with_the_node, daemon=True).start()
    main(asked)
