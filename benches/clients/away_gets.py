"""Gets on many threads for as many seconds as each line says: away_gets.py OPTIONS FLAGS THREADS. Says how long gets took."""

import json
import sys
import threading
import time

from flagstore import Store


def main():
    store, flags, threads = Store(**json.loads(sys.argv[1]), log_events=False), int(sys.argv[2]), int(sys.argv[3])
    keys = [f"flag-{number:06}" for number in range(flags)]
    for key in keys:
        assert store.get("features", key).item
    print("ready", flush=True)
    for line in sys.stdin:
        took = [[] for _ in range(threads)]
        running = [threading.Thread(target=gets, args=(store, keys, float(line), own)) for own in took]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        if not all(took):
            sys.exit("a thread failed")
        took = sorted(each for own in took for each in own)
        said = {"median": took[len(took) // 2], "p999": took[len(took) * 999 // 1000], "longest": took[-1]}
        print(json.dumps(said), flush=True)


def gets(store, keys, seconds, took):
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key in keys:
                begun = time.perf_counter()
                store.get("features", key)
                took.append(time.perf_counter() - begun)
            # Sixteen threads that never pause would measure the interpreter's lock.
            time.sleep(0.005)
    except Exception:
        took.clear()
        raise


main()
