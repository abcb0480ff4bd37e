"""A node spec that uses every key, for tests that break one thing at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phems.nodespec import Problem, check_text

FULL = """\
version: 1
node:
  name: st-mary
  title: The data node of St Mary's
controller:
  name: St Mary's Hospital
  contact: data@st-mary.example
profile: embedded
data_dir: data
release_zone: releases
gateway:
  host: 127.0.0.1
  port: 3000
  allow_remote: false
database:
  url: env:PHEMS_DATABASE_URL
broker:
  url: amqps://rabbitmq.st-mary.example:5671
  management: https://rabbitmq.st-mary.example:15671
  ca: tls/hospital-ca.pem
roles:
  operator: [olga]
  auditor: [aud]
organisations:
  st-mary: [iris, ana]
  university: [ivan]
policies:
  default: {votes: 2}
  strict:
    approvals: 2
    approvals_from_different_organisations: true
    signatures: required
    votes: 2
    sandbox: required
    file_types: [csv, png]
    max_file_size: 10MiB
    thresholds:
      small_cell: 5
data_sources:
  cohort:
    path: sources/cohort.parquet
    format: parquet
    title: Admissions
    owner: iris
  labs: {path: sources/labs.csv, format: csv}
projects:
  heart-attack:
    title: Survival after a heart attack
    code:
      repo: code/heart-attack
      branch: main
      root: src
      module: heart_attack.definitions
    members:
      data_analyst: [ana, ben]
      output_checker: [omar, oda, ana]
      information_asset_owner: [iris, ivan]
    data_grants:
      - source: cohort
        expires: 2030-12-31
      - source: labs
    policy: strict
    queue:
      concurrency: 4
      runs: 10
      priority: -1
      pool: large
    resources:
      memory: 2GiB
      cpu_seconds: 3600
      processes: 256
      file_size: 1GiB
    environment:
      python: envs/heart/bin/python
      variables:
        STUDY_YEAR: "2024"
  breast-cancer:
    code:
      repo: https://git.example/breast-cancer.git
    members:
      output_checker: [omar, oda]
      information_asset_owner: [iris]
"""


@pytest.fixture
def full() -> str:
    return FULL


@pytest.fixture
def problems_of(full: str) -> Callable[..., list[Problem]]:
    """Problems of the full spec after replacing pieces of its text: `problems_of((old, new), ...)`."""

    def replace(*changes: tuple[str, str]) -> list[Problem]:
        text = full
        for old, new in changes:
            assert text.count(old) >= 1, f"the full spec has no {old!r}"
            text = text.replace(old, new, 1)
        return check_text(text)

    return replace
