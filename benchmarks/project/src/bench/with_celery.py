"""The same jobs for stock Dagster with dagster-celery, where a code location names its executor."""

from dagster import Definitions
from dagster_celery import celery_executor

from bench.definitions import JOBS

defs = Definitions(jobs=JOBS, executor=celery_executor)
