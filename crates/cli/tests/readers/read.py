"""Answers questions about a history with DuckDB and PyArrow, as JSON. Argument: a file that says where and what."""

import datetime
import json
import sys

import duckdb
import pyarrow.compute as pc
import pyarrow.dataset as ds

with open(sys.argv[1], encoding="utf-8") as file:
    asked = json.load(file)


def plain(value):
    """A value as JSON has it; dates as their text."""
    return value.isoformat() if isinstance(value, datetime.date) else value


def by_duckdb(statements):
    """What the last of some statements answers."""
    connection = duckdb.connect()
    for statement in statements:
        cursor = connection.execute(statement)
    return [[plain(value) for value in row] for row in cursor.fetchall()]


def by_pyarrow():
    """Per kind: messages, ids, users, first and last instant, and what the numbers in the properties add up to."""
    columns = ["kind", "timestamp", "message_id", "user_id", "properties"]
    table = ds.dataset(asked["workspace"], partitioning="hive").to_table(columns=columns)
    answer = []
    for kind in sorted(pc.unique(table["kind"]).to_pylist()):
        rows = table.filter(pc.equal(table["kind"], kind))
        instants = pc.min_max(rows["timestamp"].cast("int64"))
        texts = [text for text in rows["properties"].to_pylist() if text is not None]
        numbers = sum(json.loads(text).get("n", 0) for text in texts)
        distinct = [pc.count_distinct(rows[name]).as_py() for name in ("message_id", "user_id")]
        ends = [instants[end].as_py() // 1000 for end in ("min", "max")]
        answer.append([kind, rows.num_rows, *distinct, *ends, numbers])
    return answer


def of_the_page():
    """What the program on the page leaves in the name of its result."""
    names = {}
    exec(asked["program"], names)
    rows = names["by_event"].to_pylist()
    return sorted([row["event"], row["user_id_count_distinct"], row["event_count"]] for row in rows)


answers = {
    "duckdb": [by_duckdb(statements) for statements in asked["statements"]],
    "pyarrow": by_pyarrow(),
    "page": of_the_page(),
}
with open(asked["answers"], "w", encoding="utf-8") as file:
    json.dump(answers, file)
