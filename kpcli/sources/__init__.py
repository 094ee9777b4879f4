"""Sources of frames: media files found in folders, pictures, animations and videos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kpcli.images import MAX_PIXELS
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.folder import is_video
from kpcli.types import Frame


def read_frames(
    path: Path, selection: FrameSelection = ALL_FRAMES, max_pixels: int = MAX_PIXELS
) -> Iterator[Frame]:
    """The frames of one media file; of a still picture, its one frame.

    A file whose frames have more than ``max_pixels`` is refused before any is decoded.

    Raises
    ------
    InputError
        If the file is unusable; where frames were yielded before, the file ends damaged.
    """
    if is_video(path):
        from kpcli.sources.video import video_frames

        return video_frames(path, selection, max_pixels)
    from kpcli.sources.picture import picture_frames

    return picture_frames(path, selection, max_pixels)
