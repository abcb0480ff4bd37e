"""Words of approved code, read from the Code Mount: port `CodeWords`."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from phems.domain.told_names import words_of
from phems.services.ports.code_repos import CodeMount

MOST_BYTES = 8 * 2**20
"""That are read of a code revision; what lies behind is as if it were not there."""
KEPT = 4


class MountedCodeWords:
    """Looks into the files that the approvers have read; a revision that is not there has no words."""

    def __init__(self, mount: CodeMount) -> None:
        self._mount = mount
        self._text = lru_cache(KEPT)(_text_below)

    def found(self, project: str, digest: str, names: Collection[str]) -> frozenset[str]:
        """See the port."""
        text = self._text(self._mount.path(project, digest))
        return frozenset(name for name in names if name in text and words_of(name).search(text))


def _text_below(folder: Path) -> str:
    texts, left = [], MOST_BYTES
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and not each.is_symlink()):
        size = path.stat().st_size
        if size > left:
            continue
        left -= size
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # no text
    return "\n".join(texts)
