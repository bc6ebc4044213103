"""The `neurodata` command, one file per subcommand; each is a thin layer over one call of the library."""

from __future__ import annotations

import io
import signal
import sys
import warnings

from neurodata.errors import NeurodataError, RecipeError, StorageWarning, UnknownNameError


def main() -> None:
    """Run the command; exit code 0 done, 1 failed, 2 wrongly asked, 130 interrupted."""
    # A scheduler's polite end is an interruption like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    warnings.formatwarning = _warning
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # Names of files may be any bytes: they go out as they came in, or else as escapes.
        is_unicode = sys.stdout.encoding.lower().startswith("utf")
        sys.stdout.reconfigure(errors="surrogateescape" if is_unicode else "backslashreplace")
    try:
        from .app import app

        app()
    except (RecipeError, UnknownNameError) as error:
        _fail(error, 2)
    except NeurodataError as error:
        _fail(error, 1)
    except (KeyboardInterrupt, SystemExit) as stop:
        # Typer answers Ctrl-C by itself while a command runs, with the exit code alone.
        if isinstance(stop, SystemExit) and stop.code != 130:
            raise
        _fail("interrupted; what was finished is kept: the same command goes on from there", 130)
    except BrokenPipeError:
        sys.stderr.close()  # The reader of a pipe has gone; Python would complain at exit.
        sys.exit(1)


_PYTHONS_WARNING = warnings.formatwarning


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Warnings of this library without the line of code that gave them; the others as Python shows them."""
    if issubclass(category, StorageWarning):
        return f"neurodata: {message}\n"
    return _PYTHONS_WARNING(message, category, filename, lineno, line)


def _fail(reason: object, code: int) -> None:
    print(f"neurodata: {reason}", file=sys.stderr)
    sys.exit(code)
