"""A picture drawn anew: nothing of the file reaches a browser but its pixels."""

from __future__ import annotations

import base64
import io

from phems.domain.file_views import FileView, ViewOrder

MAX_PIXELS = 50_000_000
LONGEST_SIDE = 1600


def picture_view(order: ViewOrder) -> FileView:
    """The picture's pixels as a PNG, made smaller where it is large."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with Image.open(order.file.place, formats=("PNG", "JPEG", "GIF")) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            return FileView("none", note=f"a picture of {width:,} by {height:,} pixels is not drawn")
        frames = getattr(picture, "n_frames", 1)
        drawn = picture.convert(
            "RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB"
        )
        drawn.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    clean = Image.new(drawn.mode, drawn.size)
    clean.paste(drawn)
    written = io.BytesIO()
    clean.save(written, "PNG")
    notes = [f"the first of {frames} pictures"] if frames > 1 else []
    notes += ["made smaller"] if clean.size != (width, height) else []
    return FileView(
        "image",
        note=", ".join(notes),
        picture=base64.b64encode(written.getvalue()).decode(),
        width=width,
        height=height,
    )
