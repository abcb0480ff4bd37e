"""A Postgres that is not the node's: started in the folder of the first argument, its address on a line.

Runs until it is told to end.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from sqlalchemy import URL

from phems.adapters.postgres.embedded import ADMIN, EmbeddedPostgres

PASSWORD = "a-password-of-the-test"

if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(mode=0o755)
    server = EmbeddedPostgres(data=folder / "data", runtime_dir=folder / "run", admin_password=PASSWORD)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.start()
    try:
        address = URL.create(
            "postgresql", ADMIN, PASSWORD, database="phems", query={"host": str(server.socket_dir)}
        )
        sys.stdout.write(f"{address.render_as_string(hide_password=False)}\n")
        sys.stdout.flush()
        signal.pause()
    finally:
        server.stop()
