"""The description of a Hugging Face folder in Croissant 1.0: `croissant.json`, JSON-LD that says which files a dataset
has, their digests, and the columns of each split. Pure; needs pyarrow, of the extra parquet.

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reviewqueue.feedback.formats.card import LICENCE, by_split, title
from reviewqueue.feedback.formats.parquet import schema

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
PARQUET = "application/x-parquet"
CONTEXT = {
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"}, "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    **{name: f"cr:{name}" for name in (
        "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
        "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references",
        "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
    )},
}  # fmt: skip
"""As the specification has it: readers compare it."""
TYPES = {"string": "sc:Text", "double": "sc:Float", "int64": "sc:Integer", "bool": "sc:Boolean"}
"""By type of Arrow; any other is a moment."""


def croissant(manifest: Mapping[str, Any]) -> str:
    """A record set a split, over the files of that split."""
    splits = by_split(manifest)
    columns = [(column.name, TYPES.get(str(column.type), "sc:DateTime")) for column in schema()]
    return json.dumps({
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"{manifest['queue']}-{manifest['number']}",
        "description": f"What people decided about the outputs of models: {title(manifest)}.",
        "citeAs": f"{title(manifest)}, {manifest['digest']}",
        "version": f"{manifest['number']}.0.0",
        "license": LICENCE,
        "datePublished": manifest["as_of"],
        "creator": {"@type": "sc:Organization", "name": manifest["product"]},
        "distribution": [
            *(_file(file) for files in splits.values() for file in files), *(_files(split) for split in splits),
        ],
        "recordSet": [_records(split, columns) for split in splits],
    }, ensure_ascii=False, indent=2)  # fmt: skip


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject", "@id": file["name"], "name": file["name"], "contentUrl": file["name"],
        "encodingFormat": PARQUET, "contentSize": f"{file['bytes']} B", "sha256": file["sha256"],
    }  # fmt: skip


def _files(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet", "@id": f"files-{split}", "name": f"files-{split}", "encodingFormat": PARQUET,
        "includes": f"data/{split}-*",
    }  # fmt: skip


def _records(split: str, columns: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet", "@id": split, "name": split,
        "field": [
            {"@type": "cr:Field", "@id": f"{split}/{name}", "name": name, "dataType": kind,
             "source": {"fileSet": {"@id": f"files-{split}"}, "extract": {"column": name}}}
            for name, kind in columns
        ],
    }  # fmt: skip
