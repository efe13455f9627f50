"""S3: uncached gets, one after another, from a canned responder on loopback."""

from harness.callgrind import instructions
from harness.measure import Line, at_most, faster
from harness.servers import responder
from harness.tools import boto3_options, options

ROWS = {"S3": "uncached get"}


def measure(bench):
    tools = bench.tools
    with responder(tools, tools.flag_file(1000), 1) as url:
        from_c = [tools.program("store_get"), options(url), "1", "1"]
        times = bench.times(
            {
                "C": from_c,
                "raw": [tools.program("raw_get"), url.rpartition(":")[2], "1"],
                "handed": [tools.program("raw_get"), url.rpartition(":")[2], "1", "handed"],
                "Python": [tools.python, bench.clients / "flagstore_get.py", options(url)],
                "boto3": [tools.python, bench.clients / "boto3_get.py", boto3_options(url)],
                "JS": bench.node("aws_sdk_get.cjs", url),
                "plain": bench.plain_sdk(url, 1),
            }
        )
        count = instructions(tools, from_c, 100, 600)
    what = "uncached get, C"
    yield Line(what, "boto3", "s", times["C"], times["boto3"], faster(5), row="S3")
    yield bench.line_or_reason("JS", what, "AWS SDK for JavaScript", times, row="S3")
    yield bench.line_or_reason("plain", what, "plain aws-sdk-dynamodb", times, row="S3")
    yield Line(what, "raw socket", "s", times["C"], times["raw"], at_most(3.3), row="S3")
    yield Line(what, "raw socket on another thread", "s", times["C"], times["handed"], row="S3")
    yield Line("raw socket on another thread", "raw socket", "s", times["handed"], times["raw"], row="S3")
    yield Line("uncached get, Python", "boto3", "s", times["Python"], times["boto3"], row="S3")
    yield Line(what, "", "instructions", [count], row="S3")
