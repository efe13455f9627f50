"""c/data_set.c for the Python SDK's store: data_set.py native|flagstore OPTIONS FILE

``native`` is the SDK's own integration, ``flagstore`` this library in its place: the one line that a user changes. Both
take the options of boto3.client.
The command ``core`` reads all flags as the SDK's wrapper does, without making objects of the SDK's model of them.
"""

import json
import resource
import sys
import time

from ldclient.feature_store import CacheConfig
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

if sys.argv[1] == "native":
    from ldclient.integrations import DynamoDB
else:
    from flagstore.launchdarkly import DynamoDB


def main():
    with open(sys.argv[3]) as file:
        data = json.load(file)
    all_data = {SEGMENTS: data["segments"], FEATURES: data["features"]}
    store = new_store()
    store.all(SEGMENTS, len)
    commands = {
        "init": lambda store: store.init(all_data) or len(data["features"]),
        "all": lambda store: store.all(FEATURES, len),
        "core": lambda store: len(store._core.get_all_internal(FEATURES)),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        command = line.strip()
        # Each init is the first of its store, as at the start of a program.
        used = new_store() if command == "init" else store
        reset_peak()
        before, cpu, wall = status("VmRSS:"), cpu_seconds(), time.perf_counter()
        rows = commands[command](used)
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
        print(json.dumps({"wall": wall, "cpu": cpu, "rows": rows, "peak": status("VmHWM:") - before}), flush=True)


def new_store():
    options = json.loads(sys.argv[2])
    own = {} if sys.argv[1] == "native" else {"options": {"shared": False}}
    return DynamoDB.new_feature_store("flags", dynamodb_opts=options, caching=CacheConfig.disabled(), **own)


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def reset_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


main()
