"""The project file: defaults of options, in ``kpcli.toml`` or pyproject.toml's ``[tool.kpcli]``.

A key is an option's long name. At the top it holds for every command that has the option; in a
table of a command's name, for that command. What stands on the command line wins.

    model = "large"
    [annotate]
    smooth = "one-euro"
    overlays = false
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from kpcli.choices import nearest
from kpcli.errors import InputError, UsageError

CONFIG = "kpcli.config"
"""Key of a context's ``meta`` that holds the path of the file whose values hold."""
PROJECT_FILE = "kpcli.toml"
PYPROJECT = "pyproject.toml"
_NEVER = ("help", "config", "version", "install_completion", "show_completion")


def read_config(context: typer.Context, file: Path | None) -> Path | None:
    """Make the file's values the defaults of the command that the context is of."""
    if context.resilient_parsing:  # completion
        return None
    path, content = _content(file)
    if path is not None:
        context.meta[CONFIG] = path
        context.default_map = _defaults(path, content, context)
    return path


def _content(file: Path | None) -> tuple[Path | None, Mapping[str, Any]]:
    """The file that holds, and what it says."""
    if file is not None:
        content = _read(file)
        return file, _tool(content) if file.name == PYPROJECT else content
    if Path(PROJECT_FILE).is_file():
        return Path(PROJECT_FILE), _read(Path(PROJECT_FILE))
    if Path(PYPROJECT).is_file() and b"[tool.kpcli" in Path(PYPROJECT).read_bytes():
        return Path(PYPROJECT), _tool(_read(Path(PYPROJECT)))
    return None, {}


def _read(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(f"{path}: cannot be read", actual=e.strerror or str(e)) from e
    except ValueError as e:  # also of text that is no UTF-8
        raise InputError(f"{path}: not a TOML file", actual=str(e)) from e


def _tool(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("tool", {}).get("kpcli", {})
    return found if isinstance(found, Mapping) else {}


def _defaults(path: Path, content: Mapping[str, Any], context: typer.Context) -> dict[str, Any]:
    """Values by parameter of the command, after a look at every key of the file."""
    root = context.find_root()
    options = {name: _options(command) for name, command in _commands(root).items()}
    # Of `kpcli annotate folder` the second word.
    own = context.command_path.removeprefix(root.command_path).split()[0]
    found: dict[str, Any] = {}
    tables = {k: v for k, v in content.items() if isinstance(v, Mapping)}
    for name in tables:
        if name not in options:
            raise _unknown(path, f"table [{name}]", nearest(name, list(options)))
    everywhere = {key for known in options.values() for key in known}
    top = {k: v for k, v in content.items() if k not in tables}
    for where, known, entries in (
        ("", everywhere, top),
        *((f" of [{name}]", set(options[name]), entries) for name, entries in tables.items()),
    ):
        for key in entries:
            if key.replace("-", "_") not in known:
                meant = nearest(key.replace("-", "_"), sorted(known)).replace("_", "-")
                raise _unknown(path, f"option {key!r}{where}", meant)
    for entries in (top, tables.get(own, {})):
        for key, value in entries.items():
            if parameter := options[own].get(key.replace("-", "_")):
                found[parameter] = ",".join(map(str, value)) if isinstance(value, list) else value
    return found


def _unknown(path: Path, what: str, meant: str) -> UsageError:
    return UsageError(f"{path}: unknown {what}", expected=meant)


def _commands(root: Any) -> dict[str, list[Any]]:
    """The commands by name, a group's as one list."""
    return {
        name: list(command.commands.values()) if hasattr(command, "commands") else [command]
        for name, command in root.command.commands.items()
    }


def _options(commands: list[Any]) -> dict[str, str]:
    """Long names of the commands' options, with ``_`` for ``-``, and the parameters they set."""
    return {
        word.lstrip("-").replace("-", "_"): parameter.name
        for command in commands
        for parameter in command.params
        for word in parameter.opts
        if parameter.param_type_name == "option" and parameter.name not in _NEVER
    }
