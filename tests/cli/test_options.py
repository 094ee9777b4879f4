"""One option, four places: a field, a parameter, its use, README. Here the first two and README."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer

from kpcli import options
from kpcli.choices import checked
from kpcli.cli.app import app, main
from kpcli.errors import UsageError
from kpcli.options import AnnotateOptions, AugmentOptions, FrameSelection, TrainOptions
from kpcli.ranges import InRange, ranges

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")

COMMANDS = {
    "annotate folder": options.AnnotateOptions,
    "anonymise folder": options.AnonymiseOptions,
    "merge": options.MergeOptions,
    "prepare": options.PrepareOptions,
    "train": options.TrainOptions,
    "eval": options.EvalOptions,
    "export": options.ExportOptions,
    "inspect": options.InspectOptions,
    "bench": options.BenchOptions,
    "report": options.ReportOptions,
    "suggest": options.SuggestOptions,
    "review": options.ReviewOptions,
}
PARTS = {
    "inputs": {"directory"},
    "frames": {"every", "frames", "start", "end"},
    "folder": set(),  # the command's own name says it
    "detection": set(),  # by a recipe, or in Python
    "against": set(),  # --model, given several times
    "negative_share": set(),
}
"""Fields that the command line puts together of other parameters."""
MORE = {"train": {"recipe"}, "annotate folder": {"report"}}
"""Parameters that are no field: they concern the command alone."""


def parameters(name: str) -> dict[str, Any]:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return {p.name: p for p in command.params}


@pytest.mark.parametrize(("name", "kind"), list(COMMANDS.items()), ids=lambda v: str(v))
def test_every_field_has_its_parameter_and_every_parameter_its_field(name: str, kind: Any) -> None:
    there = set(parameters(name)) - {"help"}
    wanted = [PARTS.get(f.name, {f.name}) for f in fields(kind)]
    more = {"config"} | MORE.get(name, set())
    assert set().union(*wanted) | more == there


def defaulted() -> list[tuple[str, Field[Any]]]:
    return [
        (name, f) for name, kind in COMMANDS.items() for f in fields(kind)
        if (p := parameters(name).get(f.name)) and p.param_type_name == "option"
        and not p.required and f.name not in (*PARTS, "augment", "shard", "formats", "draw")
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "field"), defaulted(), ids=lambda v: getattr(v, "name", v))
def test_the_command_has_the_fields_default(name: str, field: Field[Any]) -> None:
    if name in ("annotate folder", "anonymise folder") and field.name == "out":
        pytest.skip("the command names a folder, the class none")
    there = parameters(name)[field.name].default
    if isinstance(there, list) and isinstance(field.default, str):  # an option given several times
        there = there[0]
    assert (tuple(there) if isinstance(there, list) else there) == field.default


@pytest.mark.parametrize("parameter", parameters("annotate folder").values(), ids=lambda p: p.name)
def test_readme_names_every_option_of_annotate(parameter: Any) -> None:
    if parameter.param_type_name == "option" and parameter.name != "help":
        assert any(word in README for word in (*parameter.opts, *parameter.secondary_opts))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainOptions]:
    """Runs ``kpcli train`` with the words, gives the options that reach the work."""
    from kpcli.model_bundle import ModelBundle

    seen: list[TrainOptions] = []

    def train(given: TrainOptions, say: object, named: object) -> ModelBundle:
        seen.append(given)
        return ModelBundle.open("default")

    monkeypatch.setattr("kpcli.workflows.train.train", train)

    def run(*words: str) -> TrainOptions:
        words = ("kpcli", "train", "faces.csv", "--out", "run", *words)
        monkeypatch.setattr("sys.argv", list(words))
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        return seen.pop()

    return run


def test_the_command_line_wins_over_the_recipe_and_the_recipe_over_the_project_file(
    trained: Callable[..., TrainOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import kpcli
    from kpcli.recipes import recipe_options

    recipe = recipe_options("vgg_gray100")
    assert {"arch", "epochs"} <= set(recipe)
    monkeypatch.chdir(tmp_path)
    assert trained() == TrainOptions(Path("faces.csv"), Path("run"))
    Path("kpcli.toml").write_text("[train]\nepochs = 3\nseed = 4\n")
    file = trained()
    assert (file.epochs, file.seed, file.config) == (3, 4, Path("kpcli.toml"))
    both = trained("--recipe", "vgg_gray100")
    assert (both.arch, both.epochs) == ("vgg_gray100", recipe["epochs"])
    both = trained("--recipe", "vgg_gray100", "--epochs", "7", "--augment", "0.5")
    assert (both.arch, both.epochs) == ("vgg_gray100", 7)
    assert both.augment == AugmentOptions(strength=0.5)
    monkeypatch.setattr("kpcli.workflows.train.train", lambda given, say, named: given)
    library: Any = kpcli.train("faces.csv", out="run", recipe="vgg_gray100", epochs=7)
    assert (library.arch, library.epochs) == ("vgg_gray100", 7)


def test_values_may_come_as_people_write_them() -> None:
    found = checked(
        AnnotateOptions,
        {"inputs": "in", "out": "out", "formats": "csv, json", "shard": [1, 2], "model": Path("m")},
    )
    assert found == {
        "inputs": (Path("in"),), "out": Path("out"), "formats": ("csv", "json"), "shard": (1, 2),
        "model": "m",
    }  # fmt: skip
    assert checked(AnnotateOptions, {"inputs": ["a", Path("b")]})["inputs"] == (
        Path("a"),
        Path("b"),
    )
    with pytest.raises(UsageError, match="smooth: unknown choice 'much'") as caught:
        checked(AnnotateOptions, {"smooth": "much"})
    assert caught.value.expected == "none, one-euro"
    with pytest.raises(UsageError, match="protocol"):
        checked(options.EvalOptions, {"protocol": "nose"})
    assert checked(options.EvalOptions, {"protocol": None, "out": None}) == {
        "protocol": None, "out": None,
    }  # fmt: skip


RANGED = [
    kind for kind in vars(options).values() if isinstance(kind, type) and issubclass(kind, InRange)
]
LIMITED = [(kind, name) for kind in RANGED if kind is not InRange for name in ranges(kind)]
REQUIRED = {
    "inputs": (), "sources": (), "csv": Path(), "out": Path(), "source": Path(), "folder": Path(),
}  # fmt: skip


def filled(kind: Any, **values: Any) -> Any:
    needed = {
        f.name: REQUIRED[f.name]
        for f in fields(kind)
        if f.default is MISSING and f.name in REQUIRED
    }
    return kind(**{name: REQUIRED[name] for name in needed}, **values)


@pytest.mark.parametrize(("kind", "name"), LIMITED, ids=lambda v: getattr(v, "__name__", v))
def test_a_number_out_of_range_is_refused_wherever_options_are_made(kind: Any, name: str) -> None:
    plain, limits, optional = ranges(kind)[name]
    made = filled(kind)
    bad = [math.nan, math.inf, -math.inf, "7", [1]]
    bad += [limits.least - 1] if limits.least > -math.inf else []
    bad += [limits.most + 1] if limits.most < math.inf else []
    bad += [] if optional else [None]
    bad += [limits.least + 0.5] if plain is int else []
    for value in bad:
        for make in (lambda v: filled(kind, **{name: v}), lambda v: replace(made, **{name: v})):
            with pytest.raises(UsageError, match=f"{name}: ") as caught:
                make(value)
            assert caught.value.expected, value
    for value in (limits.least, limits.most):
        if math.isfinite(value) and kind is not FrameSelection:
            assert getattr(replace(made, **{name: plain(value)}), name) == value


def test_every_number_among_the_options_has_a_range() -> None:
    kinds = [
        k
        for k in vars(options).values()
        if isinstance(k, type)
        and hasattr(k, "__dataclass_fields__")
        and getattr(k, "__module__", "") == options.__name__
    ]
    bare = [
        (kind.__name__, f.name) for kind in kinds for f in fields(kind)
        if str(f.type).split(" | ")[0] in ("int", "float")
    ]  # fmt: skip
    assert not bare
    assert len(LIMITED) > 50


@pytest.mark.parametrize(("name", "kind"), list(COMMANDS.items()), ids=lambda v: str(v))
def test_the_command_line_has_the_same_ranges(name: str, kind: Any) -> None:
    there = parameters(name)
    limited = {**ranges(kind)} if issubclass(kind, InRange) else {}
    limited |= {"every": ranges(FrameSelection)["every"]} if "every" in there else {}
    for option, (_, limits, _) in limited.items():
        if option in PARTS or option == "cut":  # `--cut` has words of its own
            continue
        kind_there = getattr(there[option], "type", there[option])  # by Typer's version
        least, most = getattr(kind_there, "min", None), getattr(kind_there, "max", None)
        assert (least, most) == (limits.least, None if math.isinf(limits.most) else limits.most)


def test_parts_and_ends_that_contradict_each_other() -> None:
    import kpcli

    for shard in ((0, 2), (3, 2), (1, 0)):
        with pytest.raises(UsageError, match="shard"):
            filled(AnnotateOptions, shard=shard)
    with pytest.raises(UsageError, match="last"):
        FrameSelection(first=5, last=4)
    with pytest.raises(UsageError, match="end"):
        FrameSelection(start=2.0, end=1.5)
    with pytest.raises(UsageError, match="min_confidence: out of range"):
        kpcli.find_faces("none.png", min_confidence=7)
