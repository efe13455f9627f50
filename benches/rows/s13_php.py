"""S13: a PHP-FPM request that evaluates one flag, against one that makes a raw HTTP GET."""

from harness.measure import Line

ROWS = {"S13": "PHP-FPM request"}


def measure(bench):
    yield Line("PHP-FPM request", reason="not measured: this row is still to be written", row="S13")
