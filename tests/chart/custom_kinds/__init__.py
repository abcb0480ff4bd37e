"""Asks the schemas of custom kinds (Argo CD, KEDA, the Prometheus Operator) about objects.

The schemas come with packages that are generated from the operators' own Go types, installed from npm; no
file of theirs lies here. They say what a value may be; what they never look at, `validate.mjs` names.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.npm_packages import npm_packages

HERE = Path(__file__).parent
Manifest = dict[str, Any]


def faults_of(manifests: list[Manifest]) -> dict[str, list[str]]:
    """What is wrong with each, by kind and name; empty when nothing is."""
    done = subprocess.run(
        ["node", str(HERE / "validate.mjs")],
        cwd=npm_packages(HERE / "package.json", "kinds"),
        input=json.dumps(manifests),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    return {
        f"{manifest['kind']} {manifest['metadata']['name']}": found
        for manifest, found in zip(manifests, answers, strict=True)
        if found
    }
