"""The card of a dataset in a Hugging Face folder: `README.md`, whose head names the files of each split. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LICENCE = "other"


def card(manifest: Mapping[str, Any]) -> str:
    """`load_dataset(folder)` reads the head; people read the rest."""
    splits = {name: sum(file["rows"] for file in files) for name, files in by_split(manifest).items()}
    named = "\n".join(f"      - split: {name}\n        path: data/{name}-*" for name in splits)
    reviewers = manifest.get("reviewers") or {}
    return f"""---
configs:
  - config_name: default
    data_files:
{named}
license: {LICENCE}
pretty_name: {json.dumps(title(manifest))}
tags:
  - human-feedback
---

# {title(manifest)}

What people decided about the outputs of {_listed(manifest["models"]) or "models without a name"}, exported by
{manifest["product"]}. {manifest["count"]:,} records, as of {manifest["as_of"]}.

```python
from datasets import load_dataset

dataset = load_dataset("path/of/this/folder")
```

| split | records |
|---|---:|
{"".join(f"| {name} | {rows:,} |{chr(10)}" for name, rows in splits.items())}
## Where it comes from

- Dataset version: {manifest["number"]} of the queue `{manifest["queue"]}`, digest `{manifest["digest"]}`
- Configuration versions: {_listed(manifest["config_versions"])}
- People: {len(reviewers):,}, by pseudonym in `manifest.json`
- Filter: `{json.dumps(manifest["filter"])}`

## How to use it

The items were not drawn at random: the unsure ones are more often seen by people. Weigh each record by the inverse of
`probability`. `input`, `output`, `final_output`, `metadata` and `decisions` are JSON. `final_output` is what stands.
"""


def title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['queue']}, version {manifest['number']}"


def by_split(manifest: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The files with data."""
    found: dict[str, list[Any]] = {}
    for file in manifest["files"]:
        if file["name"].startswith("data/"):
            found.setdefault(file.get("split") or "train", []).append(file)
    return found


def _listed(values: Any) -> str:
    return ", ".join(map(str, values))
