"""``doctor()``: the report of the library, as Python has it, to whoever waits in whatever way."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable

import pytest
from conftest import OpenStore
from endpoint import SECRET, TABLE, Endpoint, Faults

from flagstore import AsyncStore, Finding, Item, OptionError, Report, Store

LONG = {f"{name}timeout_ms": 600_000 for name in ("", "all_", "init_", "attempt_")}


def awaited(table: str, **options: Any) -> Report:
    return asyncio.run(AsyncStore.doctor(table, **options))


@pytest.fixture(params=[Store.doctor, awaited], ids=["Store", "AsyncStore"])
def doctor(request: pytest.FixtureRequest) -> Callable[..., Report]:
    asked: Callable[..., Report] = request.param
    return asked


def finding(report: Report, check: str) -> Finding:
    (found,) = (one for one in report.findings if one.check == check)
    return found


def test_a_table_that_is_in_order_has_no_problem(
    doctor: Callable[..., Report], open_store: OpenStore, endpoint: Endpoint, prefix: str
) -> None:
    open_store().init({"features": {"flag": Item(1, '{"key":"flag","version":1}')}, "segments": {}})
    report = doctor(TABLE, prefix=prefix, **endpoint.options)
    assert (report.problems, report.warnings) == (0, 0), report
    assert {one.level for one in report.findings} == {"ok"}
    assert finding(report, "initialised").remedy is None
    assert finding(report, "features").found.startswith("1 row")
    assert SECRET not in repr(report)


def test_a_table_that_is_missing_is_named_with_a_remedy(
    doctor: Callable[..., Report], endpoint: Endpoint
) -> None:
    report = doctor("no-such-table", **endpoint.options)
    assert report.problems == 1
    missing = finding(report, "table")
    assert missing.level == "problem"
    assert "no-such-table" in missing.found
    assert missing.remedy


def test_an_option_that_is_unknown_is_an_error(doctor: Callable[..., Report]) -> None:
    with pytest.raises(OptionError, match="tabel"):
        doctor(TABLE, tabel="flags")


def test_the_loop_goes_on_meanwhile(faults: Faults, prefix: str) -> None:
    async def use() -> None:
        asked = asyncio.ensure_future(AsyncStore.doctor(TABLE, prefix=prefix, **{**faults.options, **LONG}))
        # The loop goes on: it gets to ask whether a request is held.
        await asyncio.to_thread(faults.tell, "/wait", count=1, action="hold")
        assert not asked.done()
        faults.script()
        await asyncio.to_thread(faults.tell, "/release")
        assert (await asyncio.wait_for(asked, 60)).findings

    faults.script({"do": "hold"})
    asyncio.run(use())


def test_other_threads_may_ask_too(endpoint: Endpoint, prefix: str) -> None:
    reports: list[Report] = []
    threads = [
        threading.Thread(
            target=lambda: reports.append(Store.doctor(TABLE, prefix=prefix, **endpoint.options))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [finding(report, "table").level for report in reports] == ["ok"] * 4
