"""The RO-Crate validator, in an environment of its own and without a network.

Its libraries would hold back those of the node, so it is installed from `requirements/crate-validator.txt`
into `.venv/crate-validator`, once. It fetches the JSON-LD context of a crate by HTTP: its cache is filled
with the context that the `rocrate` library ships, it is started with `--offline`, and a proxy that is not
there sees to it that nothing else is asked.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements/crate-validator.txt"
CONTEXT = "https://w3id.org/ro/crate/1.3/context"
_NO_NETWORK = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_COLOR": "1"}

# Runs in the validator's environment: puts one answer into the cache that its HTTP client reads.
_FILL_CACHE = """
import io, sys
from pathlib import Path
from requests import Request, Response
from requests_cache import CachedSession
from urllib3 import HTTPResponse
cache, url, context = sys.argv[1:]
session = CachedSession(cache_name=cache, backend="sqlite", expire_after=-1)
accept = "application/ld+json, application/json, */*;q=0.1"
answer, content = Response(), Path(context).read_bytes()
answer.status_code, answer.url = 200, url
answer.headers["Content-Type"] = "application/ld+json"
answer.request = session.prepare_request(Request("GET", url, headers={"Accept": accept}))
answer.raw = HTTPResponse(io.BytesIO(content), headers=answer.headers, status=200, preload_content=False)
session.cache.save_response(answer)
"""


@dataclass(frozen=True)
class CrateValidator:
    """An environment with the validator, and a cache that answers it."""

    environment: Path
    cache: Path

    def issues(self, package: Path, profile: str, *options: str) -> list[dict[str, Any]]:
        """What is wrong with a crate by a profile's MUSTs: nothing, when it conforms."""
        report = self.cache.with_name("report.json")
        report.unlink(missing_ok=True)
        done = self._run(
            "-c", "from rocrate_validator.cli import cli; cli()", "--disable-color", "-y",
            "validate", "--offline", "--cache-path", str(self.cache), "--profile-identifier", profile,
            "--requirement-severity", "required", "--no-paging", "--verbose",
            "--output-format", "json", "--output-file", str(report), *options, str(package),
        )  # fmt: skip
        assert report.exists(), done.stdout + done.stderr
        found = json.loads(report.read_text())
        assert found["passed"] == (done.returncode == 0), found
        assert found["passed"] == (not found["issues"]), found
        issues: list[dict[str, Any]] = found["issues"]
        return issues

    def fill_cache(self) -> None:
        """Let it find the context of RO-Crate 1.3."""
        with resources.as_file(resources.files("rocrate") / "data/ro-crate.jsonld") as context:
            assert json.loads(context.read_text())["@id"] == CONTEXT
            self._run("-c", _FILL_CACHE, str(self.cache), CONTEXT, str(context)).check_returncode()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        python = self.environment / "bin/python"
        environment = {**os.environ, **_NO_NETWORK, "HOME": str(self.cache.parent)}
        return subprocess.run(
            [str(python), *arguments],
            check=False,
            env=environment,
            cwd=self.cache.parent,
            capture_output=True,
            text=True,
        )


def installed(folder: Path) -> CrateValidator:
    """The validator as it is pinned, installed when it is not yet; its cache lies in `folder`."""
    environment = ROOT / ".venv/crate-validator"
    environment.parent.mkdir(exist_ok=True)
    pinned = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = environment / "pinned"
    with environment.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != pinned:
            uv = str(Path(sys.executable).with_name("uv"))
            subprocess.run(
                [sys.executable, "-m", "venv", "--clear", "--without-pip", str(environment)], check=True
            )
            subprocess.run(
                [uv, "pip", "sync", "--quiet", "--python", str(environment / "bin/python"),
                 "--require-hashes", str(REQUIREMENTS)],
                check=True,
            )  # fmt: skip
            stamp.write_text(pinned)
    validator = CrateValidator(environment, folder / "cache")
    validator.fill_cache()
    return validator
