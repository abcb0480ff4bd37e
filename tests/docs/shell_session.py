"""Running a page: its blocks as one bash script, in a folder that a reader might have chosen.

The pages of the how-to guides go on where the tutorial ended, so its variables and its folder are kept
between scripts. What a script leaves running in the background is stopped at its end.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import doc_pages
from doc_pages import Block

DOCUMENTED_PORT = "127.0.0.1:3000"
# Addresses that no reader has either; the page's script has real ones in variables.
DOCUMENTED_DATABASES = {
    "postgresql://db.hospital.example/phems": "$ADDRESS",
    "postgresql://postgres:secret@db.hospital.example/postgres": "$ADMIN_ADDRESS",
}
_MARK = "=== block"
_REGISTRY = re.compile(r"(?i)(PIP|UV)_|https?_proxy$|no_proxy$|SSL_CERT_|REQUESTS_CA_")
_HERE = Path(__file__).parent
SECONDS = 400
_STOP_SECONDS = 30

_HEAD = """\
set -euo pipefail
trap 'for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done; wait' EXIT
"""

# What a reader's shell would remember; bash's own read-only variables cannot be set again.
_TAIL = """\
echo "=== end"
{ declare -p | grep -E '^declare -[-x]+ [A-Z]+=' || true; echo "cd $(printf %q "$PWD")"; } > "$DOCS_MEMORY"
"""


@dataclass
class ShellSession:
    """A reader at a terminal, in `folder`, whose node listens on `port`."""

    folder: Path
    port: int

    def follow(self, page: Path) -> None:
        """Do what the page says; AssertionError with all that was printed when it does not go as it says."""
        blocks = list(doc_pages.blocks(page))
        script = self._script(blocks)
        printed = self.folder / f"{page.stem}.printed"
        with printed.open("wb") as out:
            shell = subprocess.Popen(
                ["bash", "-c", script],
                cwd=doc_pages.ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = shell.wait(SECONDS)
            except subprocess.TimeoutExpired:
                code = _end(shell)
            except BaseException:
                _end(shell)
                raise
        told = printed.read_text(encoding="utf-8", errors="replace")
        if code != 0:
            told += "".join(f"\n--- {log}\n{log.read_text()[-3000:]}" for log in self._node_logs())
        assert code == 0, f"{page.name} ended with {code} at {_last_mark(told)}:\n{told[-9000:]}"
        self._check_printed(page, blocks, told)

    def _node_logs(self) -> list[Path]:
        return sorted(self.folder.glob("*/*/serve.log"))

    def _script(self, blocks: Sequence[Block]) -> str:
        memory = self.memory
        lines = [_HEAD]
        if memory.exists():
            # The first page is read with the installed program alone.
            lines += [f". {shlex.quote(str(memory))}", f"PATH={shlex.quote(str(self.folder / 'bin'))}:$PATH"]
        for number, block in enumerate(blocks):
            command = _command(block)
            if command:
                lines += [f"echo '{_MARK} {number} (line {block.line})'", self._at_home(command)]
        return "\n".join([*lines, _TAIL])

    def _at_home(self, text: str) -> str:
        """The text with what stands for the reader's own address and databases."""
        local = text.replace(DOCUMENTED_PORT, f"127.0.0.1:{self.port}")
        for documented, own in DOCUMENTED_DATABASES.items():
            local = local.replace(documented, own)
        return local

    @property
    def memory(self) -> Path:
        """What a page leaves in the reader's shell. While there is none, `phems` is the installed program."""
        return self.folder / ".memory"

    def _environment(self) -> dict[str, str]:
        programs = Path(sys.executable).parent
        cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
        return {
            # Whatever says how to reach a package registry is the machine's; all else is a new reader's.
            **{name: value for name, value in os.environ.items() if _REGISTRY.match(name)},
            "UV_CACHE_DIR": cache,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "DOCS_PORT": str(self.port),
            "DOCS_MEMORY": str(self.memory),
        }

    def _check_printed(self, page: Path, blocks: Sequence[Block], told: str) -> None:
        parts = dict(re.findall(rf"(?ms)^{_MARK} (\d+) \([^)]*\)\n(.*?)(?=^=== )", told))
        for number, block in enumerate(blocks):
            if block.verb != "prints":
                continue
            before = max(n for n in range(number) if str(n) in parts)
            for line in self._at_home(block.text).splitlines():
                pattern = r".*".join(re.escape(part) for part in _words(line).split("..."))
                seen = [_words(each) for each in parts[str(before)].splitlines()]
                assert any(re.fullmatch(pattern, each) for each in seen), (
                    f"{page.name}:{block.line}: not printed: {line!r}. It was:\n{parts[str(before)]}"
                )


def _end(shell: subprocess.Popen[bytes]) -> int:
    """End a page's script and what it started: politely, so that its node stops, and then for good."""
    os.killpg(shell.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return shell.wait(_STOP_SECONDS)
    os.killpg(shell.pid, signal.SIGKILL)
    return shell.wait()


def _command(block: Block) -> str:
    """What a block comes to as bash; nothing for a block that is there to be read."""
    quoted = shlex.quote(block.what)
    if block.verb == "run":
        return block.text
    if block.verb in {"write", "merge"}:
        end = "END_OF_DOCUMENT"
        place = f"mkdir -p $(dirname {quoted})"
        program = {
            "write": f"cat > {quoted}",
            "merge": f"{sys.executable} {_HERE / 'merge_yaml.py'} {quoted}",
        }
        return f"{place}\n{program[block.verb]} <<'{end}'\n{block.text}\n{end}"
    if block.language != "sh" or block.verb == "in":
        return ""
    if block.verb == "fails":
        wanted = int(block.what.removeprefix("with "))
        run = f"seen=0\n{{ {block.text}\n}} || seen=$?"
        return f"{run}\n[ $seen -eq {wanted} ] || {{ echo exit $seen; exit 99; }}"
    return block.text


def _words(line: str) -> str:
    # Columns are as wide as what is in them: the words count, not the spaces between.
    return " ".join(line.split())


def _last_mark(told: str) -> str:
    marks = re.findall(rf"^{_MARK} .*$", told, flags=re.MULTILINE)
    return str(marks[-1]) if marks else "its beginning"
