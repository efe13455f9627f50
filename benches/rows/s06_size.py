"""S6: what is shipped, stripped."""

from harness.measure import Line, within
from harness.tools import size_of

ROWS = {"S6": "size of the library"}


def measure(bench):
    tools = bench.tools
    ours = [size_of(tools.library)]
    what = "size, stripped"
    yield Line(what, "botocore", "B", ours, [size_of(tools.site_packages / "botocore")], within(6e6, "B"), row="S6")
    if bench.has_node:
        yield Line(what, "AWS SDK for JavaScript", "B", ours, [size_of(tools.node_modules)], row="S6")
