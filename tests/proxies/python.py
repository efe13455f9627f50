"""One call of one process, through whatever proxy there is: the options are its argument. It prints the payload that it got, or
what the error says, and ends with 0 or 1."""

import json
import sys

from flagstore import FlagstoreError, Store

try:
    with Store(**json.loads(sys.argv[1])) as store:
        found = store.get("features", "flag")
    print(found.item)
except FlagstoreError as error:
    print(error)
    sys.exit(1)
