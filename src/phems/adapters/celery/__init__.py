"""The step queue on Celery and RabbitMQ: signed messages out, one thread a step in."""
