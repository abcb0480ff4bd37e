"""Writing a picture so that its file holds the picture and nothing else."""

from __future__ import annotations

import io
import os
from typing import Any

from phems.errors import InputError
from phems.project.tables import library

# What PNG can hold; anything else is brought to the nearest of them.
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def png_of(image: Any) -> bytes:
    """The PNG of a picture's pixels. See `Outputs.write_image` for what a picture may be."""
    pillow = library("PIL.Image", wanted_for="Writing an image")
    picture = _opened(pillow, image)
    # Only the pixels and the palette go over: Pillow writes what it finds in `info` as chunks of their own.
    clean = picture.copy() if picture.mode in _MODES else picture.convert("RGBA")
    transparency = clean.info.get("transparency")
    clean.info = {} if transparency is None else {"transparency": transparency}
    content = io.BytesIO()
    clean.save(content, format="PNG")
    return content.getvalue()


def _opened(pillow: Any, image: Any) -> Any:
    if isinstance(image, pillow.Image):
        return image
    try:
        if isinstance(image, bytes | bytearray):
            return pillow.open(io.BytesIO(image))
        if isinstance(image, str | os.PathLike):
            return pillow.open(image)
        return pillow.fromarray(image)
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"A {type(image).__name__} cannot be written as an image",
            why=str(error),
            remedy="give a path, bytes of an image file, a Pillow image or an array of pixels",
        ) from error
