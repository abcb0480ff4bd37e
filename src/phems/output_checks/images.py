"""The check of images: nothing in the file but the picture, and a picture that can be shown.

The author's bytes are the ones that are reviewed and released, so an image that carries more than its
picture is not cleaned here but fails; `outputs.write_figure` and `outputs.write_image` write clean ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from phems.domain.output_checks import CheckedFile, Finding, Verdict
from phems.domain.outputs import extension_of
from phems.output_checks.image_chunks import IMAGES, NotAnImageError, beside_the_picture
from phems.output_checks.plugin import CheckContext, finding

# 64 megapixels; what unpacks to more is no figure (Pillow's own limit warns at 89).
MOST_PIXELS = 64_000_000
_REMEDY = "write it with outputs.write_figure(...) or outputs.write_image(...) of phems.project"


class Images:
    """Images hold their picture alone."""

    name = "image"
    version = "1"

    def check_file(self, file: CheckedFile, context: CheckContext) -> Iterable[Finding]:  # noqa: ARG002
        """See `FileCheck`."""
        extension = extension_of(file.path)
        if extension not in IMAGES:
            return []
        try:
            beside = beside_the_picture(file.place, extension)
            size = None if beside else _decoded(file)
        except (NotAnImageError, OSError, SyntaxError, ValueError) as error:
            why = str(error)[:200]
            return [finding(self, file.path, Verdict.FAIL, "it is no image that can be shown", reason=why)]
        if size is None:
            words = "it carries more than its picture"
            return [finding(self, file.path, Verdict.FAIL, words, found=beside[:50], remedy=_REMEDY)]
        if size[0] * size[1] > MOST_PIXELS:
            words = "it unpacks to more pixels than a figure has"
            return [finding(self, file.path, Verdict.FAIL, words, pixels=size, allowed=MOST_PIXELS)]
        return [finding(self, file.path, Verdict.PASS, "it holds its picture alone", pixels=size)]


def _decoded(file: CheckedFile) -> list[int]:
    """Width and height of the picture, when all of it can be decoded (no more than is allowed is tried)."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file.place, formats=("PNG", "JPEG", "GIF")) as image:
            size = list(image.size)
            if size[0] * size[1] <= MOST_PIXELS:
                image.load()
    return size


CHECK = Images()
