<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * Requests to the endpoints, past the library.
 */
final class Http
{
    /**
     * @param list<string> $headers
     * @return array<string, mixed>
     */
    public static function post(string $url, array $body, array $headers = []): array
    {
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => [...$headers, 'Content-Type: application/x-amz-json-1.0', 'Connection: close'],
            'content' => $body === [] ? '{}' : json_encode($body, JSON_THROW_ON_ERROR),
            'ignore_errors' => true,
            'timeout' => 30,
        ]]);
        $answer = file_get_contents($url, false, $context);
        if ($answer === false || !str_contains($http_response_header[0], ' 200 ')) {
            throw new \RuntimeException("{$url} says " . ($http_response_header[0] ?? 'nothing') . ": {$answer}");
        }
        return json_decode($answer, true, 512, JSON_THROW_ON_ERROR);
    }

    /**
     * One operation of DynamoDB, signed in form only, which is all that local endpoints look at.
     *
     * @return array<string, mixed>
     */
    public static function dynamoDb(string $url, string $operation, array $body): array
    {
        return self::post($url, $body, [
            "X-Amz-Target: DynamoDB_20120810.{$operation}",
            'X-Amz-Date: 20260101T000000Z',
            'Authorization: AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request,'
                . ' SignedHeaders=host, Signature=0',
        ]);
    }
}
