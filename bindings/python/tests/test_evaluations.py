"""The real SDK, in daemon mode, evaluates what this package stored: all of the harness's server-side cases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import OpenStore
from endpoint import REPOSITORY, TABLE, Endpoint
from ldclient import Config, Context, LDClient
from ldclient.feature_store import CacheConfig

from flagstore.launchdarkly import DynamoDB

DATA_SETS = json.loads((REPOSITORY / "tests/data/evaluations.json").read_text())["suites"]


def test_the_data_is_complete() -> None:
    assert len(DATA_SETS) == 300
    assert sum(len(data_set["evaluations"]) for data_set in DATA_SETS) == 720


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set["name"])
def test_the_sdk_evaluates_as_with_its_own_store(
    endpoint: Endpoint, open_store: OpenStore, prefix: str, data_set: dict[str, Any]
) -> None:
    open_store().init_json(json.dumps({"flags": data_set["flags"], "segments": data_set["segments"]}))
    feature_store = DynamoDB.new_feature_store(
        TABLE, prefix=prefix, dynamodb_opts=endpoint.boto3_options, caching=CacheConfig.disabled()
    )
    with LDClient(Config("sdk-key", feature_store=feature_store, use_ldd=True, send_events=False)) as client:
        answers = [answer(client, evaluation) for evaluation in data_set["evaluations"]]
    assert text(answers) == text([evaluation["expect"] for evaluation in data_set["evaluations"]])


def text(answers: list[dict[str, Any]]) -> str:
    """As JSON, since to Python ``True`` and ``1`` are the same."""
    return json.dumps(answers, sort_keys=True, indent=1)


def answer(client: LDClient, evaluation: dict[str, Any]) -> dict[str, Any]:
    """The SDK's answer in the form of the expected one."""
    context = Context.from_dict(as_context(evaluation["context"]))
    detail = client.variation_detail(evaluation["flagKey"], context, evaluation.get("default"))
    index = {} if detail.variation_index is None else {"variationIndex": detail.variation_index}
    return {"value": detail.value, "reason": detail.reason, **index}


def as_context(given: dict[str, Any]) -> dict[str, Any]:
    """Users of the time before contexts have no kind, and their own attributes apart; the SDK takes contexts only."""
    if "kind" in given:
        return given
    known = {name: value for name, value in given.items() if name != "custom"}
    return {"kind": "user", **given.get("custom", {}), **known}
