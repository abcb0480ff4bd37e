"""Images hold their picture alone; models are inert and small."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image, PngImagePlugin
from safetensors.numpy import save
from tests.unit.output_checks.conftest import Look, verdicts

from phems.domain.output_checks import Verdict
from phems.output_checks import images, models
from phems.project.clean_images import png_of


def picture(kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.effect_noise((200, 100), 80).convert("RGB").save(content, kind, **options)
    return content.getvalue()


def described() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Jane Doe")
    return info


def exif() -> Image.Exif:
    camera = Image.Exif()
    camera[0x010F] = "Camera of ward 3"
    return camera


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.png", picture(dpi=(120, 120))),
        ("a.jpg", picture("JPEG")),
        ("a.jpg", picture("JPEG", progressive=True, quality=95)),
        ("a.gif", picture("GIF")),
    ],
)
def test_a_clean_picture_passes(look: Look, name: str, content: bytes) -> None:
    """Otherwise no figure leaves."""
    [found] = look(images.CHECK, name, content)
    assert (found.verdict, found.evidence["pixels"]) == (Verdict.PASS, [200, 100])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.png", picture(pnginfo=described()), "tEXt chunk"),
        ("a.png", picture(icc_profile=b"profile of a screen"), "iCCP chunk"),
        ("a.png", picture() + b"more", "data behind its end"),
        ("a.jpg", picture("JPEG", exif=exif()), "APP1 segment"),
        ("a.jpg", picture("JPEG", comment=b"Jane Doe"), "comment"),
        ("a.jpg", picture("JPEG") + b"more", "data behind its end"),
        ("a.gif", picture("GIF", comment=b"Jane Doe"), "comment"),
        ("a.gif", picture("GIF", loop=0, save_all=True, append_images=[]) + b"x", "data behind its end"),
    ],
)
def test_a_picture_that_carries_more_fails(look: Look, name: str, content: bytes, told: str) -> None:
    """Otherwise names, places and thumbnails leave with a figure; and the author is told how to write it."""
    [found] = look(images.CHECK, name, content)
    assert found.verdict is Verdict.FAIL
    assert told in found.evidence["found"]
    assert "write_image" in found.evidence["remedy"]
    if name.endswith(".png") and "behind" not in told:
        assert verdicts(look(images.CHECK, name, png_of(content))) == {Verdict.PASS}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif"])
@pytest.mark.parametrize(
    "content", [b"", b"x" * 200, picture()[:300], picture("JPEG")[:300], picture("GIF")[:300]]
)
def test_what_is_no_whole_picture_fails(look: Look, name: str, content: bytes) -> None:
    """Otherwise anything leaves as a picture."""
    [found] = look(images.CHECK, name, content)
    assert found.verdict is Verdict.FAIL
    assert found.evidence["reason"]


def test_a_picture_that_unpacks_to_too_much_fails_unread(look: Look) -> None:
    """Otherwise a kilobyte takes gigabytes of memory."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )
    [found] = look(images.CHECK, "a.png", bomb)
    assert found.verdict is Verdict.FAIL
    assert "pixels" in found.summary
    assert look(images.CHECK, "a.csv", b"") == []


def a_model(domain: str = "", **changes: Any) -> bytes:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 4], [0.0] * 12)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], domain=domain)
    graph = helper.make_graph([node] if changes.get("nodes", True) else [], "g", [], [], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 1)])
    if "note" in changes:
        model.doc_string = changes["note"]
    if changes.get("external"):
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    bytes_of: bytes = model.SerializeToString()
    return bytes_of


def a_forest() -> bytes:
    trees = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", nodes_values=[0.5] * 900, n_targets=1
    )
    graph = helper.make_graph([trees], "g", [], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)])
    bytes_of: bytes = model.SerializeToString()
    return bytes_of


def trained_on(rows: int) -> dict[str, Any]:
    return {"kind": "regression", "model": {"observations": rows, "parameters": 12}}


SMALL = save({"w": np.zeros((3, 4), "f4")})


@pytest.mark.parametrize(
    ("name", "content", "declaration", "verdict"),
    [
        ("a.safetensors", SMALL, trained_on(500), Verdict.PASS),
        ("a.safetensors", SMALL, trained_on(100), Verdict.REVIEW),
        ("a.safetensors", SMALL, trained_on(11), Verdict.FAIL),
        ("a.safetensors", SMALL, None, Verdict.REVIEW),
        ("a.safetensors", save({"w": np.zeros(2, "f4")}, {"note": "Jane"}), trained_on(500), Verdict.REVIEW),
        ("a.onnx", a_model(), trained_on(500), Verdict.PASS),
        ("a.onnx", a_model(), None, Verdict.REVIEW),
        ("a.onnx", a_model(note="Jane Doe"), trained_on(500), Verdict.REVIEW),
        ("a.onnx", a_model("my.ops"), trained_on(500), Verdict.FAIL),
        ("a.onnx", a_model(external=True), trained_on(500), Verdict.FAIL),
        ("a.onnx", a_model(nodes=False), trained_on(500), Verdict.FAIL),
        ("a.onnx", a_forest(), trained_on(500), Verdict.FAIL),
        ("a.json", '{"beta": [0.1, 0.2], "p": "0.04", "name": "cox"}', trained_on(30), Verdict.PASS),
        ("a.json", "[" + "1," * 600 + "1]", trained_on(500), Verdict.FAIL),
    ],
)
def test_models_are_measured_against_their_training_rows(
    look: Look, name: str, content: bytes, declaration: Any, verdict: Verdict
) -> None:
    """Otherwise a model carries its training data out, one row for each parameter."""
    assert verdicts(look(models.CHECK, name, content, declaration)) == {verdict}


def test_what_is_no_model_is_not_the_models_check(look: Look) -> None:
    """Otherwise JSON of any kind is asked for its training rows."""
    assert look(models.CHECK, "a.json", "{}", None) == []
    assert look(models.CHECK, "a.csv", "a\n", trained_on(5)) == []


def test_onnx_with_inner_graphs_is_looked_through(look: Look) -> None:
    """Otherwise a branch hides foreign operators and tables of numbers."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [600], [0.0] * 600)
    inner = helper.make_graph(
        [helper.make_node("Evil", [], ["y"], domain="my.ops")], "then", [], [], [weights]
    )
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    model = helper.make_model(
        helper.make_graph([branch], "g", [], []), opset_imports=[helper.make_opsetid("", 13)]
    )
    [found] = look(models.CHECK, "a.onnx", model.SerializeToString(), trained_on(500))
    assert found.verdict is Verdict.FAIL
    assert "my.ops" in found.summary
    assert found.evidence["numbers"] == 1200


def test_huge_json_is_no_model(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a file fills the memory of the process that checks."""
    monkeypatch.setattr(models, "_LARGEST_JSON", 10)
    assert verdicts(look(models.CHECK, "a.json", '{"a": [1, 2, 3]}', trained_on(500))) == {Verdict.FAIL}
