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
        "call": _call(name, step),
        "parameters": "\n\n".join([inspect.getdoc(step) or "", *_inherited(step)]),
        "in a recipe": "\n".join(examples),
        "source": inspect.getdoc(inspect.getmodule(step)),
    }


def _call(name: str, step: Any) -> str:
    """The parameters and what they are where they are not stated; those without a value have to be."""
    from dataclasses import MISSING, fields

    values = {
        field.name: field.default_factory() if field.default_factory is not MISSING else field.default
        for field in fields(step)
        if field.init
    }
    told = [key if value is MISSING else f"{key}={value!r}" for key, value in values.items()]
    return f"{name}({', '.join(told)})"


def _inherited(step: Any) -> list[str]:
    """What the bases of a step say of the parameters that they bring, each with its name in front."""
    import inspect

    heading = "Parameters\n----------\n"
    parts = []
    for base in step.__mro__[1:]:
        _, found, told = inspect.cleandoc(base.__doc__ or "").partition(heading)
        own, _, _ = told.partition("\n\nRaises\n")
        if found:
            parts.append(f"{base.__name__}\n\n{heading}{own}")
    return parts


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
