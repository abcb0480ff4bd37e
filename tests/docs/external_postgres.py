"""A Postgres that is not the node's: started in the folder of the first argument.

Prints its address without a user, then that of its administrator.

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
        where = {"host": str(server.socket_dir)}
        address = URL.create("postgresql", database="phems", query=where)
        administrator = URL.create("postgresql", ADMIN, PASSWORD, database="postgres", query=where)
        for each in (address, administrator):
            sys.stdout.write(f"{each.render_as_string(hide_password=False)}\n")
        sys.stdout.flush()
        signal.pause()
    finally:
        server.stop()
