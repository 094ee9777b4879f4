from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpcli.errors import InputError
from kpcli.images import read_image
from kpcli.outputs import Outputs
from kpcli.types import Frame, FrameFaces
from kpcli.writers.frame_pictures import FramePictures, frame_name


@pytest.fixture
def pictures(tmp_path: Path) -> FramePictures:
    (tmp_path / "tmp").mkdir()
    return FramePictures(Outputs(tmp_path, "annotate"), tmp_path / "tmp")


def pixels() -> np.ndarray:
    """Left half dark, right half bright."""
    return np.repeat(np.repeat(np.uint8([[30, 220]]), 16, 1), 24, 0)[..., None].repeat(3, 2)


def test_a_video_s_frames_by_the_names_that_other_formats_have(
    tmp_path: Path, pictures: FramePictures
) -> None:
    pictures.add("d/v.mp4", Frame(Path("v.mp4"), 12, 0.5, pixels(), moving=True))
    pictures.publish()
    name = frame_name(FrameFaces("d/v.mp4", 12, 0.5, 32, 24, (), True))
    assert name == "d/v.mp4/000012.jpg"
    back = read_image(tmp_path / "images" / name)
    assert np.abs(back.astype(int) - pixels()).mean() < 3
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_upright_picture_is_copied(tmp_path: Path, pictures: FramePictures) -> None:
    source = tmp_path / "p.jpg"
    Image.fromarray(pixels()).save(source, quality=40)
    pictures.add("p.jpg", Frame(source, 1, 0.0, read_image(source)))
    pictures.publish()
    assert (tmp_path / "images" / "p.jpg").read_bytes() == source.read_bytes()


def test_a_turned_picture_is_written_as_it_is_seen(tmp_path: Path, pictures: FramePictures) -> None:
    source = tmp_path / "p.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels()).save(source, quality=95, exif=exif)
    frame = Frame(source, 1, 0.0, read_image(source))
    assert frame.pixels.shape == (32, 24, 3)
    pictures.add("p.jpg", frame)
    pictures.publish()
    with Image.open(tmp_path / "images" / "p.jpg") as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(image).astype(int) - frame.pixels).mean() < 4


def test_a_picture_that_cannot_be_written(tmp_path: Path, pictures: FramePictures) -> None:
    (tmp_path / "images").write_text("a file")
    pictures.add("v.mp4", Frame(Path("v.mp4"), 1, 0.0, pixels(), moving=True))
    with pytest.raises(InputError, match="cannot be written"):
        pictures.publish()
    assert list((tmp_path / "tmp").iterdir()) == []
