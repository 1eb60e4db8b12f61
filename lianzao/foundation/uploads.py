"""Where files that are sent to us lie while they come in: in memory, large ones in a temporary file."""

from __future__ import annotations

import contextlib
from typing import Any

from django.core.files.uploadhandler import TemporaryFileUploadHandler


class Uploads(TemporaryFileUploadHandler):
    """Django's, but what a full disk cuts off is removed at once, not when its memory is swept, if ever."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> Any:
        """Write a piece. Raises OSError when it cannot be written."""
        with self._removed_if_not():
            return super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> Any:
        """The file with all its pieces. Raises OSError when the last could not be written."""
        with self._removed_if_not():
            return super().file_complete(file_size)

    @contextlib.contextmanager
    def _removed_if_not(self) -> Any:
        try:
            yield
        except OSError:
            with contextlib.suppress(OSError):  # closing writes what is left once more, and removes the file after that
                self.file.close()
            raise
