"""Asks the schemas of custom kinds (Argo CD, KEDA, the Prometheus Operator) about objects.

The schemas come with packages that are generated from the operators' own Go types, installed from npm; no
file of theirs lies here. They say what a value may be; what they never look at, `validate.mjs` names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Manifest = dict[str, Any]


def installed() -> Path:
    """The packages, installed once for each version of their list."""
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is missing: make system-packages (as root)"
    wanted = (HERE / "package.json").read_bytes()
    folder = Path(tempfile.gettempdir()) / (
        f"phems-tests-{os.getuid()}-kinds-{hashlib.sha256(wanted).hexdigest()[:12]}"
    )
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent) as making:
        made = Path(making) / "made"
        made.mkdir()
        (made / "package.json").write_bytes(wanted)
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=made, check=False, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        # Another test may have been faster.
        with contextlib.suppress(OSError):
            made.rename(folder)
    assert folder.is_dir()
    return folder


def faults_of(manifests: list[Manifest]) -> dict[str, list[str]]:
    """What is wrong with each, by kind and name; empty when nothing is."""
    done = subprocess.run(
        ["node", str(HERE / "validate.mjs")],
        cwd=installed(),
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
