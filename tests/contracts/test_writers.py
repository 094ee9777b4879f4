"""What every entry of `kpcli.catalogue.WRITERS` keeps."""

from pathlib import Path

import numpy as np
import pytest

from kpcli.catalogue import WRITERS
from kpcli.plug_ins import WriterModule
from kpcli.schemes import IBUG68, LandmarkScheme, get_scheme
from kpcli.types import Face, FaceBox, FrameFaces


def face(scheme: LandmarkScheme, track: int) -> Face:
    generator = np.random.default_rng(track)
    points = generator.uniform(100, 200, (scheme.n_points, 2)).astype(np.float32)
    scores = np.full(scheme.n_points, 0.75, np.float32)
    box = FaceBox(100, 90, 200, 190, 0.8)
    return Face(box, points, scores, 0.7, track)


def frames(scheme: LandmarkScheme) -> list[FrameFaces]:
    """Two faces in a picture, a video with a gap, a picture without a face, an odd name."""
    plan = [
        ("a/x.jpg", 1, 0.0, (0, 1)),
        ("b/x.jpg", 1, 0.0, ()),
        ("ü, v.mp4", 1, 0.0, (0,)),
        ("ü, v.mp4", 2, 0.04, ()),
        ("ü, v.mp4", 3, 0.08, (0, 1)),
    ]
    return [
        FrameFaces(f, i, s, 320, 240, tuple(face(scheme, t) for t in tracks), f.endswith("mp4"))
        for f, i, s, tracks in plan
    ]


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(params=list(WRITERS))
def module(request: pytest.FixtureRequest) -> WriterModule:
    return WRITERS.load(request.param)


@pytest.mark.parametrize("scheme", [IBUG68, get_scheme("points7")], ids=lambda s: s.name)
def test_writes_only_its_output_and_the_same_bytes_twice(
    module: WriterModule, scheme: LandmarkScheme, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        with module.create(tmp_path / name, scheme) as writer:
            for frame in frames(scheme):
                writer.write(frame)
    one = files(tmp_path / "one")
    assert one
    assert all(name.split("/")[0] == module.OUTPUT for name in one)
    assert one == files(tmp_path / "two")


def stop_midway(module: WriterModule, out: Path) -> None:
    with module.create(out, IBUG68) as writer:
        writer.write(frames(IBUG68)[0])
        raise RuntimeError("stop")


def test_nothing_under_the_final_name_before_the_end(module: WriterModule, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        stop_midway(module, tmp_path)
    assert not (tmp_path / module.OUTPUT).exists()


def test_no_frame_at_all_is_no_error(module: WriterModule, tmp_path: Path) -> None:
    with module.create(tmp_path, IBUG68):
        pass
    assert (tmp_path / module.OUTPUT).exists()
