"""Sources of frames: media files found in folders, pictures, animations and videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from kpcli.errors import InputError
from kpcli.images import MAX_PIXELS
from kpcli.media import VIDEO, kind_of
from kpcli.options import ALL_FRAMES, FrameSelection
from kpcli.sources.folder import is_media, is_video
from kpcli.sources.room import Room, unlimited
from kpcli.sources.selection import Shrink, not_at_all
from kpcli.types import Frame


def read_frames(
    path: Path,
    selection: FrameSelection = ALL_FRAMES,
    max_pixels: int = MAX_PIXELS,
    passed: Callable[[], None] = lambda: None,
    room: Room = unlimited,
    shrink: Shrink = not_at_all,
) -> Iterator[Frame]:
    """The frames of one media file; of a still picture, its one frame.

    What the file is, its content says; the ending counts where that says nothing. A file whose
    frames have more than ``max_pixels`` is refused before any is decoded. ``passed`` is called
    for what is read and not wanted: a heartbeat; ``room`` is held while a picture is in hand.
    ``shrink`` says, of a picture's width and height, at which part of its size it may be decoded;
    what has a format that can then has `Frame.shrunk`.

    Raises
    ------
    InputError
        If the file is unusable; where frames were yielded before, the file ends damaged.
    """
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path}: no file that can be read", actual="a folder, pipe or device")
    kind = kind_of(path)
    if kind == VIDEO or (not kind and (is_video(path) or not is_media(path))):
        from kpcli.sources.video import video_frames

        return video_frames(path, selection, max_pixels, passed)
    from kpcli.sources.picture import picture_frames

    return picture_frames(path, selection, max_pixels, passed, room, shrink)
