"""What authors say of their outputs reaches the node; pictures are written so that they pass its checks."""

import io
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from phems.errors import InputError, UnavailableError
from phems.output_checks.image_chunks import beside_the_picture
from phems.project import outputs

CONTEXT = dg.build_op_context()
FOLDER = Path(".phems/artifacts/outputs") / CONTEXT.run_id
ROWS = [{"ward": "surgery", "patients": 120}]
DISCLOSURE = {"kind": "frequency", "dimensions": ["ward"], "count": "patients"}

pytestmark = pytest.mark.usefixtures("laptop")


def test_a_declaration_reaches_the_node_with_its_table(enter_node: Any) -> None:
    """Otherwise every table waits for a person, whatever its author knows of it."""
    registrar = enter_node()
    outputs.write_table(CONTEXT, "a.csv", ROWS, disclosure=DISCLOSURE)
    outputs.write_table(CONTEXT, "b.csv", ROWS)
    outputs.write_json(CONTEXT, "c.json", {})
    outputs.declare(CONTEXT, "c.json", {"kind": "regression", "model": {"observations": 500}})
    declared = {Path(path).name: declaration for path, declaration in registrar.declared.items()}
    assert declared["a.csv"] is not None
    assert declared["a.csv"]["count"] == "patients"
    assert declared["b.csv"] is None
    assert declared["c.json"] is not None
    assert declared["c.json"]["model"] == {"observations": 500}


def test_on_a_laptop_a_declaration_is_read_as_in_a_node(laptop: Path) -> None:
    """Otherwise a misspelt declaration is found in the node alone, days later."""
    written = outputs.write_table(CONTEXT, "a.csv", ROWS, disclosure=DISCLOSURE)
    assert outputs.declare(CONTEXT, "a.csv", DISCLOSURE) == written
    with pytest.raises(InputError, match="not usable"):
        outputs.write_table(CONTEXT, "b.csv", ROWS, disclosure={"dimension": ["ward"]})
    assert not (laptop / FOLDER / "b.csv").exists()


def test_what_was_not_written_cannot_be_declared() -> None:
    """Otherwise a misspelt name is declared, and the file itself is not."""
    with pytest.raises(InputError, match="no output 'lost"):
        outputs.declare(CONTEXT, "lost.csv", DISCLOSURE)
    with pytest.raises(InputError, match="climbs"):
        outputs.declare(CONTEXT, "../lost.csv", DISCLOSURE)


def described() -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Jane Doe")
    content = io.BytesIO()
    Image.new("P", (20, 10), 3).save(content, "PNG", pnginfo=info, transparency=0)
    return content.getvalue()


@pytest.mark.parametrize(
    "image",
    [
        described(),
        Image.new("CMYK", (20, 10)),
        Image.new("LA", (20, 10)),
        np.zeros((10, 20, 3), "uint8"),
    ],
    ids=["bytes", "other colours", "transparent", "array"],
)
def test_a_picture_is_written_clean(laptop: Path, image: Any) -> None:
    """Otherwise an author has no way to write what the checks ask for."""
    written = outputs.write_image(CONTEXT, "scan.png", image)
    assert beside_the_picture(written.path, "png") == []
    with Image.open(written.path) as shown:
        assert shown.size == (20, 10)
        assert "Author" not in shown.info
    again = outputs.write_image(CONTEXT, "again.png", written.path)
    assert beside_the_picture(again.path, "png") == []


def test_a_figure_is_written_clean() -> None:
    """Otherwise every figure of matplotlib fails the checks."""
    figure = Figure()
    figure.subplots().plot([1, 2])
    assert beside_the_picture(outputs.write_figure(CONTEXT, "a.png", figure).path, "png") == []


@pytest.mark.parametrize("image", [b"no picture", "lost.png", 7])
def test_what_is_no_picture_is_told(image: Any) -> None:
    """Otherwise a figure is a traceback."""
    with pytest.raises(InputError, match="cannot be written as an image") as refused:
        outputs.write_image(CONTEXT, "a.png", image)
    assert refused.value.remedy


def test_without_pillow_the_author_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a missing package is a puzzle."""
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(UnavailableError, match="Writing an image needs"):
        outputs.write_image(CONTEXT, "a.png", b"")
