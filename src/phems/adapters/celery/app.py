"""One Celery application for each project: its own vhost, its own login, its own queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from phems.adapters.celery.messages import MessageSigner

QUEUE = "steps"
PRIORITIES = 10
_MIDDLE = 5
CONNECT_SECONDS = 4.0
HEARTBEAT_SECONDS = 10.0
# A message is acknowledged when its step has ended, which may take days. RabbitMQ 3.12 and later go by this;
# where an older one closes the channel instead, the message comes again and finds its lease taken.
_CONSUMER_TIMEOUT_MS = 31 * 24 * 3600 * 1000


@dataclass(frozen=True)
class BrokerAccess:
    """How one project's queue is reached: `url` holds a password, `tls` is what its client is told of TLS."""

    project: str
    url: str
    tls: Mapping[str, Any] | None = None


def make_app(access: BrokerAccess, signer: MessageSigner) -> Celery:
    """The application of one project."""
    signer.register()
    app = Celery(f"phems.{access.project}", set_as_current=False)
    app.conf.update(
        broker_url=access.url,
        broker_use_ssl=dict(access.tls) if access.tls else None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_transport_options={"confirm_publish": True},
        task_serializer=signer.serializer,
        accept_content=[signer.serializer],
        task_queues=[
            Queue(
                QUEUE,
                Exchange(QUEUE, type="direct", durable=True),
                routing_key=QUEUE,
                durable=True,
                queue_arguments={
                    "x-max-priority": PRIORITIES,
                    "x-consumer-timeout": _CONSUMER_TIMEOUT_MS,
                },
            )
        ],
        task_default_queue=QUEUE,
        task_default_exchange=QUEUE,
        task_default_routing_key=QUEUE,
        task_default_delivery_mode="persistent",
        task_create_missing_queues=False,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=False,
        task_reject_on_worker_lost=True,
        # How an attempt ended is on record in Postgres (`engine.step_attempts`): there is no second place.
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Nobody steers a worker, or listens to it, through the broker.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_proc_alive_timeout=60.0,
    )
    return app


def level_of(priority: int) -> int:
    """A message's priority, of the ten that the queue has; without any it is in the middle."""
    return max(0, min(PRIORITIES - 1, _MIDDLE + priority))
