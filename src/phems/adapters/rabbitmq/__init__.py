"""RabbitMQ: the logins of projects at the broker, and its management API."""
