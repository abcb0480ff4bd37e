"""Released packages as streams: copied out of the release zone, verified, and then sent from the copy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from starlette.responses import StreamingResponse

from phems.gateway.api.answers import attachment
from phems.gateway.api.archives import MEDIA_TYPE, Archive, archive_of


def package_reply(request: str, copy_to: Callable[[Path], Path], *, at: datetime | None) -> StreamingResponse:
    """The package of a request as a tar. `copy_to` puts it, verified, into a folder and says where.

    Nothing is sent before every byte was held against the manifest: a stream cannot be taken back.
    """
    folder = tempfile.TemporaryDirectory(prefix="phems-package-")
    try:
        archive = archive_of(copy_to(Path(folder.name)), name=request, at=at)
    except BaseException:
        folder.cleanup()
        raise
    return attachment(_sent(archive, folder), name=f"{request}.tar", media_type=MEDIA_TYPE, size=archive.size)


def _sent(archive: Archive, folder: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    with folder:
        yield from archive.chunks()
