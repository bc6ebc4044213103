"""neurodata datasets: what can be prepared."""

from __future__ import annotations

from .console import note, print_json, results
from .options import JsonOption


def datasets(json: JsonOption = False) -> None:
    """List the datasets: sensor, classes, samples, licence, how the files are got.

    Examples: neurodata datasets, neurodata datasets --json
    """
    from rich.table import Table

    from neurodata import registry

    rows = []
    for name in registry.datasets:
        dataset = registry.datasets[name]
        rows.append(
            {
                "name": dataset.name,
                "title": dataset.title,
                "form": str(dataset.form),
                "classes": len(dataset.classes),
                "train": dataset.published_counts.get("train", "?"),
                "test": dataset.published_counts.get("test", "?"),
                "licence": dataset.licence,
                "files": "downloaded" if all(source.urls for source in dataset.sources) else "by hand",
            }
        )
    if json:
        print_json(rows)
        return
    columns = [name for name in rows[0] if name != "title"]
    table = Table(box=None, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column not in ("form", "licence"))
    for row in rows:
        table.add_row(*(f"{row[name]:,}" if isinstance(row[name], int) else row[name] for name in columns))
    results.print(table, crop=False)
    note("your own recordings: neurodata prepare folder:DIR, with sub-folders named by class, or --labels FILE.csv")
