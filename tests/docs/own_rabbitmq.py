"""A RabbitMQ that is not the node's: says how it is reached, for a shell, until it is told to end."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.rabbitmq import running_rabbitmq

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with running_rabbitmq() as server:
        told = {
            "RABBITMQ_PORT": server.port,
            "RABBITMQ_MANAGEMENT": server.management_port,
            "RABBITMQ_ADMIN": server.admin_url,
        }
        sys.stdout.write("".join(f"{name}={value}\n" for name, value in told.items()))
        sys.stdout.flush()
        signal.pause()
