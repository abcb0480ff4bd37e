"""Packages from npm that tests use, outside of the checkout: installed once for each version of a list."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def npm_packages(listed: Path, name: str) -> Path:
    """The folder with the packages that the package.json `listed` names; `name` tells lists apart."""
    for program in ("node", "npm"):
        assert shutil.which(program), f"{program} is missing: make system-packages (as root)"
    wanted = listed.read_bytes()
    folder = Path(tempfile.gettempdir()) / (
        f"phems-tests-{os.getuid()}-{name}-{hashlib.sha256(wanted).hexdigest()[:12]}"
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
