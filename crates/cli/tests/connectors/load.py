"""Loads a workspace with dlt's own REST source and says what came. Argument: a file that says whence and where to.

The second run of the same pipeline reads what changed: newest first until it meets what it had, or, where the source is
told to ask for it, only what is newer.
"""

import json
import sys

import dlt
from dlt.sources.rest_api import rest_api_source

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)


def stream(name, path, asks, **params):
    """One kind of record. With `asks` the server is asked for what is newer; else the source stops where it was."""
    changed = {"cursor_path": "updatedAt", "initial_value": "1970-01-01T00:00:00.000Z"}
    changed.update({"start_param": "updatedAfter"} if asks else {"row_order": "desc"})
    return {"name": name, "endpoint": {"path": path, "params": params, "incremental": changed}}


source = rest_api_source({
    "client": {
        "base_url": asked["host"] + "/resources/",
        "auth": {"type": "http_basic", "username": asked["token"], "password": ""},
        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "from"},
    },
    "resource_defaults": {
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"data_selector": "results"},
    },
    "resources": [
        stream("organizations", "organizations", asks=True),
        stream("accounts", "accounts", asks=True, status="activeOrChurned"),
        stream("users", "users", asks=False),
    ],
})
pages = {}


def note(name):
    """Notes what comes of a kind of record."""
    seen = pages[name] = []

    def each(record):
        seen.append(record["externalId"])
        return record

    return each


for name, resource in source.resources.items():
    resource.add_map(note(name))

pipeline = dlt.pipeline(
    "muster", destination=dlt.destinations.duckdb(asked["database"]), dataset_name="loaded", pipelines_dir=asked["pipelines"]
)
pipeline.run(source)
loaded = {}
with pipeline.sql_client() as client:
    for name in pages:
        rows = client.execute_sql(f"select external_id, name from {name} order by 1")
        loaded[name] = [list(row) for row in rows]
with open(asked["answers"], "w", encoding="utf-8") as file:
    json.dump({"read": pages, "loaded": loaded}, file)
