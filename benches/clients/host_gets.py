"""One of many processes that read the same flags, each once: host_gets.py OPTIONS FLAGS. Says how many requests it made."""

import json
import sys

from flagstore import Store

with Store(**json.loads(sys.argv[1])) as store:
    print("ready", flush=True)
    for _ in sys.stdin:
        for number in range(int(sys.argv[2])):
            assert store.get("features", f"flag-{number:06}").item
        print(json.dumps({"requests": store.statistics()["requests"]}), flush=True)
