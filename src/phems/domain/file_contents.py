"""What a file is by its content: nothing that runs when it is opened or loaded may leave the node.

`ContentScan` is fed a file chunk by chunk, in the same pass that hashes and freezes it, and keeps a
few hundred bytes at most. A file is refused when its content is not what its extension says, or when
it is, or holds, something active: a pickle, a program, a script, markup, an archive.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from phems.domain.outputs import extension_of
from phems.errors import RefusedError

# What the first bytes give away, whatever the file is called.
_ACTIVE_STARTS: tuple[tuple[bytes, str], ...] = (
    *((bytes([0x80, protocol]), "a pickle") for protocol in range(2, 6)),
    (b"\x93NUMPY", "a NumPy array, which may hold a pickle"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"#!", "a script"),
    (b"PK\x03\x04", "an archive or an office document"),
    (b"PK\x05\x06", "an archive"),
    (b"\x1f\x8b", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ\0", "a compressed file"),
    (b"7z\xbc\xaf\x27\x1c", "an archive"),
    (b"\x28\xb5\x2f\xfd", "a compressed file"),
    (b"\xd0\xcf\x11\xe0", "an old office document, which may hold macros"),
)

_MARKUP = (b"<!doctype html", b"<html", b"<script", b"<svg", b"<iframe")
_PDF_ACTIVE = (b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/RichMedia")

# Extension -> how the content must begin, and how it must end.
_SIGNATURES: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "arrow": ((b"ARROW1",), b"ARROW1"),
    "feather": ((b"ARROW1",), b"ARROW1"),
    "gif": ((b"GIF87a", b"GIF89a"), b""),
    "jpeg": ((b"\xff\xd8\xff",), b""),
    "jpg": ((b"\xff\xd8\xff",), b""),
    "onnx": ((b"\x08",), b""),
    "parquet": ((b"PAR1",), b"PAR1"),
    "pdf": ((b"%PDF-",), b""),
    "png": ((b"\x89PNG\r\n\x1a\n",), b"IEND\xaeB`\x82"),
    "safetensors": ((b"\0{",), b""),
}
# Where that beginning stands: safetensors begin with the length of their header, in eight bytes.
_SIGNATURE_AT = {"safetensors": 7}

TEXT_TYPES = frozenset({"csv", "geojson", "json", "jsonl", "log", "md", "tsv", "txt", "yaml", "yml"})

_HEAD_BYTES = 64
_OVERLAP_BYTES = 32


class ContentScan:
    """Looks at one file as it streams by. `feed` every chunk, then ask `problem`.

    Only the first problem found is kept; it is a clause such as "it is a pickle".
    """

    def __init__(self, path: str) -> None:
        self._extension = extension_of(path)
        self._head = b""
        self._tail = b""
        self._problem: str | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")() if self._extension in TEXT_TYPES else None

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk."""
        window = self._tail + chunk
        if len(self._head) < _HEAD_BYTES:
            self._head = (self._head + chunk)[:_HEAD_BYTES]
        if self._decoder is not None:
            self._note(_text_problem(window))
            self._decode(chunk, final=False)
        elif self._extension == "pdf":
            self._note(_found(window, _PDF_ACTIVE, "it holds active content ({})"))
        self._tail = window[-_OVERLAP_BYTES:]

    def problem(self) -> str | None:
        """After the last chunk: why the file may not leave, or None."""
        started = next((kind for start, kind in _ACTIVE_STARTS if self._starts_with(start)), None)
        if started is not None:
            return f"its content is {started}"
        if self._decoder is not None:
            self._decode(b"", final=True)
        self._note(self._signature_problem())
        return self._problem

    def _starts_with(self, start: bytes) -> bool:
        # A table whose first column is called MZ is no program: real ones are not UTF-8 text.
        if self._extension in TEXT_TYPES and start.isalnum():
            return False
        if self._extension in _SIGNATURE_AT and self._signature_problem() is None:
            return False  # a length may look like anything
        return self._head.startswith(start)

    def _note(self, problem: str | None) -> None:
        self._problem = self._problem or problem

    def _decode(self, chunk: bytes, *, final: bool) -> None:
        if self._decoder is None or self._problem is not None:
            return
        if not final and chunk.isascii() and not self._decoder.getstate()[0]:
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._problem = "it is not UTF-8 text"

    def _signature_problem(self) -> str | None:
        if self._extension not in _SIGNATURES:
            return _text_problem(self._head + self._tail)
        starts, end = _SIGNATURES[self._extension]
        if not self._head.startswith(
            starts, _SIGNATURE_AT.get(self._extension, 0)
        ) or not self._tail.endswith(end):
            return f"its content is not that of a .{self._extension} file"
        return None


def _found(window: bytes, marks: tuple[bytes, ...], clause: str) -> str | None:
    mark = next((mark for mark in marks if mark in window), None)
    return clause.format(mark.decode()) if mark else None


def _text_problem(window: bytes) -> str | None:
    if b"\0" in window:
        return "it holds binary content"
    if b"<" not in window:
        return None
    return _found(window.lower(), _MARKUP, "it holds active markup ({})")


@dataclass(frozen=True)
class TypeRule:
    """Which files a policy lets out: their extensions, and their largest size in bytes."""

    policy: str
    file_types: tuple[str, ...]
    max_file_size: int

    def check_name_and_size(self, path: str, size: int) -> None:
        """Raise `RefusedError` before a byte is read, when name or size alone rule the file out."""
        extension = extension_of(path)
        if extension not in self.file_types:
            raise RefusedError(
                f"The file {path!r} cannot be released.",
                why=f"the policy '{self.policy}' allows the file types {', '.join(self.file_types)}; "
                f"this one is {extension or 'without an extension'}.",
                remedy="Write it in an allowed type and run the step again, or leave it out of the request.",
            )
        if size > self.max_file_size:
            raise RefusedError(
                f"The file {path!r} cannot be released.",
                why=f"it has {size:,} bytes; the policy '{self.policy}' allows {self.max_file_size:,}.",
                remedy="Aggregate or split it and run the step again, or leave it out of the request.",
            )

    def check_content(self, path: str, scan: ContentScan) -> None:
        """Raise `RefusedError` after the last byte, when the content rules the file out."""
        problem = scan.problem()
        if problem is not None:
            raise RefusedError(
                f"The file {path!r} cannot be released.",
                why=f"{problem}; nothing that can run when opened may leave the node.",
                remedy="Write it as plain csv, json, parquet, png, safetensors or text, run the step again, "
                "and request the new output.",
            )
