--TEST--
Every method, on an endpoint
--EXTENSIONS--
flagstore
--SKIPIF--
<?php require __DIR__ . '/skipif.inc'; ?>
--FILE--
<?php
require __DIR__ . '/endpoint.inc';
require __DIR__ . '/item.inc';

$native = opened(['shared' => false]);
$show = static function (mixed $value): void {
    echo json_encode($value, JSON_UNESCAPED_UNICODE), "\n";
};
$show($native->initialized());
$show($native->get('features', 'flag'));
$show($native->all('features'));
$rows = [['flag', 1, false, 'ä'], ["nul\0", 2, false, "\0"], ['12', 3, true, null]];
$report = static fn (string $json): array => array_filter(json_decode($json, true));
$show($report($native->init([['features', $rows], ['segments', []]])));
$show($native->initialized());
$native->available();
$show($native->get('features', 'flag'));
$all = $native->all('features');
ksort($all, SORT_STRING);
$show($all);
$show($native->upsert('features', 'flag', 1, false, 'b'));
$show($native->upsert('features', 'flag', 4, true, null));
$show($native->upsert('features', 'large', 1, false, str_repeat('x', 400001)));
$show($report($native->initJson('{"flags":{"one":{"key":"one","version":1}},"segments":{}}')));
$show($native->bigSegmentsMetadata());
$show($native->bigSegmentsMembership('hash'));
$show(json_decode($native->statistics())->write_units > 0);
$native->clearCache();
while (($event = $native->nextEvent()) !== null) {
    echo $event[0], ' ', substr($event[1], 0, 25), "\n";
}
?>
--EXPECT--
false
null
[]
{"deflated":{"count":0,"keys":[]},"written":3}
true
{"version":1,"item":"ä","deleted":false,"stale":false}
{"12":[3,null,true,false],"flag":[1,"ä",false,false],"nul\u0000":[2,"\u0000",false,false]}
[2,[1,"ä",false,false]]
[0,null]
[3,null]
{"deflated":{"count":0,"keys":[]},"deleted":1,"kept":{"tombstone":{"count":2,"keys":[{"key":"12","kind":"features"},{"key":"flag","kind":"features"}]}},"written":1}
null
null
true
3 initialised table "flags"
1 The item "large" in "phpt
3 initialised table "flags"
