"""Sends the calls with a library for Python. Arguments: library, host, key, file with the calls, gzip or plain."""

import importlib
import json
import sys

library, host, key, path, packing = sys.argv[1:]
failures = []
analytics = importlib.import_module(library + ".client").Client(
    key,
    host=host,
    gzip=packing == "gzip",
    timeout=1.5,
    max_retries=10,
    upload_size=12,
    on_error=lambda error, items: failures.append(error),
)

NAMES = {"userId": "user_id", "groupId": "group_id", "previousId": "previous_id", "anonymousId": "anonymous_id"}

with open(path, encoding="utf-8") as file:
    calls = json.load(file)
for fields in calls:
    call = getattr(analytics, fields.pop("call"))
    repeat = fields.pop("repeat", 1)
    for number in range(repeat):
        arguments = {NAMES.get(name, name): value for name, value in fields.items()}
        if repeat > 1:
            arguments["properties"] = {**arguments["properties"], "n": number}
        call(**arguments)
analytics.flush()
if failures:
    sys.exit(f"the library gave up: {failures}")
