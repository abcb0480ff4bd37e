"""Looking at hostile files, as the use cases see it."""

from __future__ import annotations

from typing import Protocol

from phems.domain.file_views import FileView, ViewOrder


class FileViewer(Protocol):
    """Reads a file for people in a process of its own: nobody else parses what project code wrote."""

    @property
    def is_isolating(self) -> bool:
        """Whether a hostile file that takes the reader over still reaches nothing."""
        ...

    def view(self, order: ViewOrder) -> FileView:
        """The part of the file that is asked for, in bounded time and memory.

        Never raises for what a file holds: one that cannot be read is a view of kind `none`, with the reason.
        """
        ...
