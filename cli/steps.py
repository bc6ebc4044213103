"""What there is to say of an encoding, a transform or an augmentation: its docstring, and how a recipe names it."""

from __future__ import annotations

from typing import Any

KINDS = {"encodings": "[[steps]]", "transforms": "[[steps]]", "augmentations": "[[augment]]"}


def step_kind(name: str) -> str | None:
    """The kind of step of that name, or None: where two share a name, the first of `KINDS`."""
    from neurodata import registry

    return next((kind for kind in KINDS if name in getattr(registry, kind)), None)


def step_facts(name: str, kind: str) -> dict[str, Any]:
    """Kind, tables of a recipe, and documentation of a step, as JSON values."""
    import inspect

    from neurodata import registry

    step = getattr(registry, kind)[name]
    examples = [_table(KINDS[kind], name, example) for example in step.examples]
    return {
        "name": name,
        "kind": kind.removesuffix("s"),
        "parameters": inspect.getdoc(step),
        "in a recipe": "\n".join(examples),
        "source": inspect.getdoc(inspect.getmodule(step)),
    }


def _table(header: str, name: str, parameters: dict[str, Any]) -> str:
    values = "".join(f"\n  {key} = {_toml(value)}" for key, value in parameters.items())
    return f'{header}\n  name = "{name}"{values}\n'


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)
