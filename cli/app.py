"""The command line, put together from the subcommands; imports nothing heavy, so that --help is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from .bench import bench
from .cache import cache
from .convert import convert
from .datasets import datasets
from .export import export
from .fetch import fetch
from .formats import formats
from .import_ import import_
from .info import info
from .prepare import prepare
from .train import train
from .verify import verify
from .view import view

app = typer.Typer(
    name="neurodata",
    help="Prepare neuromorphic datasets once, train spiking networks on them at memory speed.",
    epilog="Try: neurodata prepare dvs-gesture --T 16 --twin, then neurodata train dvs-gesture --T 16 --twin",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import neurodata

        print(f"neurodata {neurodata.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for command in (datasets, formats, info, fetch, prepare, verify, view, train, bench, convert, export, import_, cache):
    # "import" is a word of Python.
    app.command(name=command.__name__.rstrip("_"), no_args_is_help=command not in (datasets, formats, cache))(command)
