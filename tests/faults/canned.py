"""The answers of a table that is empty and stays so, for tests that need no upstream."""

from __future__ import annotations

import json
import zlib

from http1 import Message, response

ANSWERS = {
    "GetItem": {},
    "Query": {"Items": [], "Count": 0, "ScannedCount": 0},
    "PutItem": {},
    "DeleteItem": {},
    "BatchWriteItem": {"UnprocessedItems": {}},
    "DescribeTable": {"Table": {"TableStatus": "ACTIVE"}},
}


def canned(request: Message) -> Message:
    operation = (request.header("x-amz-target") or "").rpartition(".")[2]
    if operation not in ANSWERS:
        return response(400, b'{"__type":"com.amazon.coral.service#UnknownOperationException"}', {})
    body = json.dumps(ANSWERS[operation]).encode()
    return response(200, body, {"x-amzn-requestid": "CANNED", "x-amz-crc32": str(zlib.crc32(body))})
