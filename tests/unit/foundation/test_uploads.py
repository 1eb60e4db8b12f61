"""An upload that a full disk cuts off leaves no file behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from lianzao.foundation.uploads import Uploads


class Full:
    """Stands before a file's `write`: there is no room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, data: bytes) -> int:
        assert len(list(self.folder.iterdir())) == 1
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("moment", ["write", "seek"])
def test_what_is_cut_off_is_removed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path)):
        handler = Uploads()
        handler.new_file("file", "items.csv", "text/csv", 100, None, {})
    kept = handler.file  # somebody still holds it: a traceback, say
    monkeypatch.setattr(kept.file, moment, Full(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        handler.receive_data_chunk(b"x", 0)
        handler.file_complete(1)
    assert list(tmp_path.iterdir()) == []
