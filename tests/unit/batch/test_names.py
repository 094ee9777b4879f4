"""Names of outputs: unlike, also on disks that know no case, and told only where they differ."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpcli.batch.names import output_names

ADDED = ("", ".jpg", ".mp4", "_0.pts", "_1.pts", "_000001_0.pts", "_0.csv", ".csv", ".zip")


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.jpg", "b/a.jpg", "c.PNG"], {}),
        (["A.png", "a.png"], {"a.png": "a~2.png"}),
        (["A.png", "a.png", "a~2.png"], {"a.png": "a~3.png"}),
        (["A/x.png", "a/x.png"], {"a/x.png": "a/x~2.png"}),
        (["u\u0308.png", "\xfc.png"], {"\xfc.png": "\xfc~2.png"}),
        (["a.gif", "a.gif.jpg"], {"a.gif": "a~2.gif"}),
        (["v.mov", "v.mov.mp4"], {"v.mov": "v~2.mov"}),
        (["x.jpg", "x.jpg_0.pts/y.png"], {"x.jpg": "x~2.jpg"}),
        (["X.jpg", "x.jpg/y.png"], {"X.jpg": "X~2.jpg"}),
        (["a.gif", "a.png", "a.jpg.bak.png", "a.jpg"], {}),
    ],
)
def test_rule(files: list[str], names: dict[str, str]) -> None:
    assert output_names(files) == names


PARTS = st.sampled_from(["a", "A", "b.gif", "B.gif", "b.gif.mp4", "b.gif_0.pts", "\xe9.jpg"])


@given(st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), unique=True, max_size=8))
def test_no_output_is_another_s_or_its_folder(files: list[str]) -> None:
    files = [f for f in files if not any(g.startswith(f + "/") for g in files)]  # as on a disk
    names = output_names(files)
    stems = [names.get(file, file) for file in files]
    assert set(names) <= set(files)
    made = [
        unicodedata.normalize("NFC", (stem + added).casefold()) for stem in stems for added in ADDED
    ]
    assert len(set(made)) == len(made)
    folders = {"/".join(m.split("/")[:i]) for m in made for i in range(1, m.count("/") + 1)}
    assert not folders & set(made)
