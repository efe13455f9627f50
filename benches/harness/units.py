"""DynamoDB's formula for capacity units, and what each operation of a feature store takes by it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html: a read takes one unit for each 4 KB
that was begun, half of that if it may be stale; a write one for each 1 KB that was begun; a Query counts the bytes of a page of
up to 1 MB together; a write whose condition fails takes what a write takes. The row COST holds this against flagstore-local.
"""

import math
from dataclasses import dataclass

READ_BYTES, WRITE_BYTES, PAGE_BYTES = 4096, 1024, 1024 * 1024


def row_bytes(item_bytes, key="flag-000000", namespace="features", version=1):
    """A row as DynamoDB counts it: names and values of its attributes; a number takes a byte for two digits and one more."""
    number = math.ceil(len(str(version)) / 2) + 1
    names = len("namespace" + "key" + "version" + "item")
    return names + len(namespace) + len(key) + number + item_bytes


def read_units(size, consistent):
    return max(1, math.ceil(size / READ_BYTES)) * (1 if consistent else 0.5)


def write_units(size):
    return max(1, math.ceil(size / WRITE_BYTES))


def query_units(rows, size, consistent, crossing=True):
    """All rows of a kind, of this size each: a page ends with the row that brings it to 1 MB, or before it."""
    per_page = math.ceil(PAGE_BYTES / size) if crossing else PAGE_BYTES // size
    full, rest = divmod(rows, per_page)
    pages = [per_page] * full + ([rest] if rest or not full else [])
    return sum(read_units(count * size, consistent) for count in pages)


@dataclass
class Integration:
    """What decides the units of a feature store on DynamoDB."""

    name: str
    consistent_get: bool
    writes_unchanged: bool  # whether an init writes rows that are there already
    looks_for_marker: bool  # whether an init reads `$inited` before it writes it
    reads_after_conflict: bool  # whether the row that won is read with a request of its own

    def get(self, size):
        return {"read": read_units(size, self.consistent_get), "write": 0}

    def init(self, rows, size, changed):
        """On a table that holds an older version of `changed` rows, and all others as they are; segments are none."""
        read = query_units(rows, size, True) + query_units(0, size, True)
        read += read_units(0, True) if self.looks_for_marker else 0
        if self.writes_unchanged:
            return {"read": read, "write": rows * write_units(size) + 1}
        return {"read": read, "write": changed * write_units(size)}

    def upsert(self, size, newer):
        """Of a version that is newer than the stored one, or not."""
        read = read_units(size, self.consistent_get) if self.reads_after_conflict and not newer else 0
        return {"read": read, "write": write_units(size)}


# The integrations of Ruby and Node.js read like Python's, those of Java and .NET like Go's.
PYTHON = Integration("Python's own", False, True, False, True)
GO = Integration("Go's own", True, True, False, True)
FLAGSTORE = Integration("flagstore", True, False, True, False)
FLAGSTORE_EVENTUAL = Integration("flagstore, eventual", False, False, True, False)
