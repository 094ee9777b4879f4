import numpy as np
from helpers.annotated import SHAPE, face, frame

from kpcli.types import Face
from kpcli.workflows.review import ranking
from kpcli.workflows.review.dataset import odd_shapes
from kpcli.workflows.review.ranking import Candidate, chosen, of_frames


def moved(one: Face, by: float) -> Face:
    from dataclasses import replace

    return replace(one, points=one.points + np.float32(by))


def test_an_unsure_face_comes_before_a_sure_one() -> None:
    found = of_frames([frame("a", 1, face(0, 0.95)), frame("b", 1, face(0, 0.4, weak=4))])
    first, second = chosen(found, 2)
    assert (first.file, second.file) == ("b", "a")
    assert ranking.CONFIDENCE in first.reasons
    assert ranking.POINTS in first.reasons
    assert second.priority < 0.2


def test_one_frame_that_leaps_is_a_jump_and_steady_motion_is_none() -> None:
    walk = [frame("v", i, moved(face(0, 0.95), 0.5 * i), moving=True) for i in range(1, 20)]
    assert all(c.priority < 0.1 for c in of_frames(walk))
    walk[9] = frame("v", 10, moved(face(0, 0.95), 12), moving=True)
    (worst, *_) = chosen(of_frames(walk), 3)
    assert worst.frame == 10
    assert worst.reasons == [ranking.JUMP]


def test_frames_without_a_face_are_asked_about() -> None:
    lost = frame("v", 3, moving=True)
    seen = frame("v", 2, face(0, 0.95), moving=True)
    found = {c.file: c for c in of_frames([frame("p", 1), seen, lost]) if c.face == ""}
    assert found["p"].reasons == [ranking.EMPTY]
    assert found["v"].reasons == [ranking.LOST]


def test_of_a_video_one_frame_a_second_and_not_fifty_of_one_video() -> None:
    frames = [frame("v", i, face(0, 0.3), moving=True) for i in range(1, 2000)]
    frames += [frame(f"p{i}", 1, face(0, 0.5)) for i in range(40)]
    found = of_frames(frames)
    seconds = [c.seconds for c in found if c.file == "v"]
    assert len({int(s) for s in seconds}) == len(seconds)
    first = chosen(found, 20)
    assert sum(c.file == "v" for c in first) <= 5
    assert len(first) == 20


def test_priority_is_a_chance() -> None:
    both = Candidate("a", 1, 0, "0", signals={"x": 0.5, "y": 0.5})
    assert both.priority == 0.75
    assert Candidate("a", 1, 0, "0").priority == 0


def test_shapes_unlike_the_training() -> None:
    rng = np.random.default_rng(0)
    known = SHAPE + rng.normal(0, 0.01, (50, 5, 2))
    values = ranking.unlikeness(np.stack([known[3], SHAPE[:, ::-1] * 2]), known)
    assert values[0] == 0
    assert values[1] == 1


def test_a_swapped_and_a_stray_label_are_odd() -> None:
    rng = np.random.default_rng(0)
    shapes = SHAPE + rng.normal(0, 0.01, (60, 5, 2))
    shapes[17] = shapes[17][[1, 0, 2, 4, 3]]
    shapes[31, 2] += 0.5
    odd = odd_shapes(shapes)
    assert set(np.argsort(-odd)[:2]) == {17, 31}
    assert np.median(odd) < 0.1
