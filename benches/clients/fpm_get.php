<?php

/**
 * What PHP-FPM's workers run for c/fpm_get.c: read the row of one flag, by the library or by a raw HTTP request, and
 * decode its JSON; or nothing at all. Answers with the nanoseconds that this took. Or, for a host of workers: read all flags
 * and answer with the number of requests to DynamoDB that the worker has made.
 */

declare(strict_types=1);

$started = hrtime(true);
if ($_SERVER['BENCH_WHAT'] === 'host') {
    echo requests(json_decode($_SERVER['BENCH_OPTIONS'], true));
    return;
}
if ($_SERVER['BENCH_WHAT'] !== 'nothing') {
    $options = json_decode($_SERVER['BENCH_OPTIONS'], true);
    $item = $_SERVER['BENCH_WHAT'] === 'raw' ? raw($options) : flagstore($options);
    $flag = json_decode($item, true, flags: JSON_THROW_ON_ERROR);
    if ($flag['key'] !== 'flag-000000') {
        throw new RuntimeException('this is another flag');
    }
}
echo hrtime(true) - $started;

function store(array $options): Flagstore\Store
{
    spl_autoload_register(static function (string $class): void {
        require __DIR__ . '/../../bindings/php/src/' . substr($class, strlen('Flagstore\\')) . '.php';
    });
    return Flagstore\Store::open($options);
}

function flagstore(array $options): string
{
    return store($options)->get('features', 'flag-000000')->item;
}

function requests(array $host): int
{
    $store = store($host['options']);
    for ($number = 0; $number < $host['flags']; $number++) {
        if ($store->get('features', sprintf('flag-%06d', $number))->item === null) {
            throw new RuntimeException('a flag is missing');
        }
    }
    return $store->statistics()['requests'];
}

/**
 * The least that a client which keeps nothing between requests can do: connect, send, receive, decode. Nothing is signed.
 */
function raw(array $options): string
{
    $body = '{"TableName":"flags","Key":{"namespace":{"S":"features"},"key":{"S":"flag-000000"}},"ConsistentRead":true}';
    ['scheme' => $scheme, 'host' => $host, 'port' => $port] = parse_url($options['endpoint']);
    $place = "{$host}:{$port}";
    // As curl does, which the AWS SDK uses: with Nagle's algorithm the request would wait for a round trip after a TLS handshake.
    $settings = ['socket' => ['tcp_nodelay' => true], 'ssl' => ['cafile' => $options['ca_bundle'] ?? null]];
    $transport = $scheme === 'https' ? 'tls' : 'tcp';
    $stream = stream_socket_client("{$transport}://{$place}", $code, $message, 5, STREAM_CLIENT_CONNECT, stream_context_create($settings));
    if ($stream === false) {
        throw new RuntimeException("cannot connect: {$message}");
    }
    fwrite($stream, "POST / HTTP/1.1\r\nHost: {$place}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        . "X-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Length: " . strlen($body) . "\r\n\r\n{$body}");
    $answer = '';
    do {
        $answer .= fread($stream, 65536);
        $end = strpos($answer, "\r\n\r\n");
    } while ($end === false && !feof($stream));
    preg_match('/^content-length: (\d+)/mi', $answer, $found);
    while (strlen($answer) < $end + 4 + (int) $found[1] && !feof($stream)) {
        $answer .= fread($stream, 65536);
    }
    fclose($stream);
    return json_decode(substr($answer, $end + 4), true)['Item']['item']['S'];
}
