"""What the commands share: panels of ``--help``, choices from the catalogue, ``--config``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from kpcli.catalogue import ARCHITECTURES, FORMATS, RUNTIMES, TARGETS
from kpcli.cli.config import CONFIG, read_config
from kpcli.errors import InputError
from kpcli.options import Device, Smoothing, Tta

FACES, VIDEO, OUTPUT, RUN = "Faces", "Video", "Output", "Run"
"""Panels of ``--help``; those of a command stand in this order."""
_PANELS = ("Arguments", "Options", FACES, VIDEO, OUTPUT, RUN)

if TYPE_CHECKING:
    FormatName = str
    ArchitectureName = str
    RuntimeName = str
    TargetName = str
else:  # Typer prints and checks the names that the catalogue has
    FormatName = Literal[tuple(FORMATS)]
    ArchitectureName = Literal[tuple(ARCHITECTURES)]
    RuntimeName = Literal["auto", *RUNTIMES]
    TargetName = Literal[tuple(TARGETS)]

Model = Annotated[
    str, typer.Option(help="A bundle folder, or an embedded model's name.", rich_help_panel=FACES)
]
Runtime = Annotated[
    RuntimeName,
    typer.Option(help="Library that runs the model; auto: the fastest.", rich_help_panel=FACES),
]
OnDevice = Annotated[
    Device, typer.Option(help="Where the detector and the model run.", rich_help_panel=FACES)
]
WithTta = Annotated[
    Tta, typer.Option(help="flip: look at each face mirrored too.", rich_help_panel=FACES)
]
ByDetector = Annotated[
    str,
    typer.Option(
        help="How faces are found: builtin, haar[:FILE], boxes_file:CSV ...", rich_help_panel=FACES
    ),
]
MaxFaces = Annotated[
    int, typer.Option(min=0, help="At most so many faces a frame; 0: all.", rich_help_panel=FACES)
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Leave out faces of a lower confidence.", rich_help_panel=FACES
    ),
]
Draw = Annotated[
    str,
    typer.Option(
        metavar="KIND,...",
        help="What is drawn: landmarks, points, mesh, edges, box, ids, names, stickers:NAME, swap, "
        "makeup, blur-background, none; points:red.",
        rich_help_panel=OUTPUT,
    ),
]
DrawSize = Annotated[
    float,
    typer.Option(
        min=0.1, max=20, help="Times the width of lines, points, text.", rich_help_panel=OUTPUT
    ),
]
Smooth = Annotated[
    Smoothing,
    typer.Option(
        help="one-euro: also columns of points steadied over time.", rich_help_panel=VIDEO
    ),
]
DetectEvery = Annotated[
    int,
    typer.Option(
        min=0, help="Detect every Nth frame; 0: where something changes.", rich_help_panel=VIDEO
    ),
]
DetectSize = Annotated[
    int,
    typer.Option(
        min=64, help="Long side, pixels, at which faces are looked for.", rich_help_panel=FACES
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(help="Where the pictures are, if not where the CSV says.", rich_help_panel=RUN),
]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME,...",
        help="Also write these: pts, json, coco ...; see README.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace an earlier run's results.", rich_help_panel=OUTPUT),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        is_eager=True,  # before the options whose defaults it holds
        callback=read_config,
        help="TOML file with defaults of options.",
        show_default="kpcli.toml, or [tool.kpcli] of pyproject.toml",
        rich_help_panel=RUN,
    ),
]

F = TypeVar("F", bound=Callable[..., None])


class Command(TyperCommand):
    """A command whose ``--help`` has panels as plain text.

    Rich would draw them, but it takes longer to load than all else of ``kpcli --help``, and reads
    ``[onnx]`` in a help text as markup, which it drops.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the panels."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                own = getattr(param, "rich_help_panel", None)
                usual = "Arguments" if param.param_type_name == "argument" else "Options"
                usual = RUN if param.name == "help" else usual
                panels.setdefault(own or usual, []).append(record)
        for name, records in sorted(panels.items(), key=lambda item: _PANELS.index(item[0])):
            with formatter.section(name):
                formatter.write_dl(records)


class FolderOrFile(TyperGroup):
    """``kpcli annotate DIR`` is ``kpcli annotate folder DIR``; with files, ``file``.

    So is ``kpcli anonymise``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [*self._word(ctx, args), *args]
        return super().parse_args(ctx, args)

    def _word(self, ctx: Any, args: list[str]) -> list[str]:
        """The command that was left out; none where a command was meant, or in completion."""
        mistyped = not Path(args[0]).exists() and get_close_matches(args[0], self.commands)
        if mistyped or ctx.resilient_parsing:
            return []
        parser = self.commands["folder"].make_parser(ctx)
        parser.ignore_unknown_options = True  # the command itself complains of them
        parser.allow_interspersed_args = True
        options, more, _ = parser.parse_args(list(args))
        paths = [p for p in (options.get("directory"), *more) if isinstance(p, str)]
        if len(paths) == 1 and Path(paths[0]).is_dir():
            return ["folder"]
        if not paths or any(Path(path).exists() for path in paths):
            return ["file"]
        raise InputError(
            f"{paths[0]}: there is no such folder or file",
            next_step=f"kpcli {self.name} folder DIR, or kpcli {self.name} file FILE...",
        )


def option(panel: str, help: str, *names: str, **more: Any) -> Any:
    """An option of a panel of ``--help``."""
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def also_takes(options: Callable[..., None]) -> Callable[[F], F]:
    """Give a command the parameters of ``options``, in place of its ``**shared``."""

    def decorate(command: F) -> F:
        own = _parameters(command)
        command.__signature__ = inspect.Signature(own + _parameters(options))  # type: ignore[attr-defined]
        return command

    return decorate


def add(app: typer.Typer, name: str, command: Callable[..., None]) -> None:
    """Make it a command of the app, with ``--config``."""

    @functools.wraps(command)
    def with_config(**given: Any) -> None:
        import logging  # not needed to say what is wrong with a command line

        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
        del given["config"]  # `read_config` has dealt with it
        command(**given)

    config = inspect.Parameter(
        "config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Config
    )
    parameters = [*_parameters(command), config]
    with_config.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    app.command(name, cls=Command)(with_config)


def _parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    ]


def values(context: typer.Context, kind: type[Any]) -> dict[str, Any]:
    """All options as parsed, and the file with defaults where the options class has a place."""
    given = {k: v for k, v in context.params.items() if k != "config"}
    if any(f.name == "config" for f in fields(kind)):
        given["config"] = context.meta.get(CONFIG)
    return given


def is_given(context: typer.Context, name: str) -> bool:
    """Whether the option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")
