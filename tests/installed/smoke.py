"""What somebody tries first in an empty project that the package was installed into: the endpoint's URL and a prefix are the
arguments. It ends with the file of the library, where the binding tells, and its version.
"""

import sys

import flagstore
from flagstore._library import load

endpoint, prefix = sys.argv[1:]
PAYLOAD = '{"key":"flag","version":%d,"salt":"\u00e4\u6f22"}'
options = {
    "prefix": prefix,
    "endpoint": endpoint,
    "region": "eu-west-1",
    "access_key_id": "local",
    "secret_access_key": "local",
}
with flagstore.Store("flags", **options) as store:
    assert not store.initialized()
    assert store.init_json('{"flags":{"flag":%s}}' % (PAYLOAD % 1)).written == 1
    assert store.get("features", "flag").item == PAYLOAD % 1
    assert store.upsert("features", "flag", 2, PAYLOAD % 2).written
    assert store.get("features", "flag").item == PAYLOAD % 2
    assert store.initialized()
print("used", flagstore.library_version(), load().path)
