<?php

declare(strict_types=1);

namespace Flagstore\LaunchDarkly;

/**
 * Arguments of the AWS SDK's DynamoDbClient, turned into options of Flagstore\Store.
 *
 * What cannot be turned is refused by name: an option that was silently left out would only be missed in production.
 *
 * @internal
 */
final class AwsOptions
{
    /** Default of the store's "timeout_ms", which would cut short a connection or request that was given longer. */
    private const DEFAULT_TIMEOUT_MS = 5_000;
    private const DEFAULT_ATTEMPT_TIMEOUT_MS = 2_000;

    private const SAME_MEANING = [
        'region' => 'region',
        'endpoint' => 'endpoint',
        'profile' => 'profile',
        'use_fips_endpoint' => 'use_fips',
        'use_dual_stack_endpoint' => 'use_dual_stack',
    ];

    /** What says nothing about DynamoDB, or what is so here anyway. */
    private const WITHOUT_EFFECT = ['version', 'suppress_php_deprecation_warning'];

    private const INSTEAD = [
        'scheme' => 'is decided by the endpoint: leave it out, and give an endpoint that starts with it',
        'http.proxy' => 'has no counterpart, since proxies are not supported: leave it out',
        'http_handler' => 'has no counterpart in flagstore, which does not use the AWS SDK for PHP: leave it out',
        'handler' => 'has no counterpart in flagstore, which does not use the AWS SDK for PHP: leave it out',
    ];

    /**
     * @param array<string, mixed> $given
     * @return array<string, mixed>
     * @throws InvalidOptionException one of them has no counterpart; the message names it and says what to do
     */
    public static function translated(#[\SensitiveParameter] mixed $given): array
    {
        if (!is_array($given)) {
            throw new InvalidOptionException('dynamodb_options takes an array, not ' . get_debug_type($given));
        }
        $options = [];
        foreach ($given as $name => $value) {
            if ($value === null || in_array($name, self::WITHOUT_EFFECT, true)) {
                continue;
            }
            $options += match (true) {
                isset(self::SAME_MEANING[$name]) => [self::SAME_MEANING[$name] => $value],
                $name === 'credentials' => self::credentials($value),
                $name === 'http' => self::http($value),
                $name === 'retries' => [],
                default => throw self::unknown((string) $name),
            };
        }
        return $options + self::deadline($options, self::attempts($given['retries'] ?? null));
    }

    /**
     * How often a request is tried at most, or null if that is not said.
     */
    private static function attempts(mixed $retries): ?int
    {
        $attempts = match (true) {
            is_int($retries) => $retries + 1,
            is_array($retries) && array_diff(array_keys($retries), ['mode', 'max_attempts']) === [] => $retries['max_attempts'] ?? null,
            $retries === null => null,
            default => 0,
        };
        if ($attempts !== null && (!is_int($attempts) || $attempts < 1)) {
            throw self::refused('retries', 'takes a number of 0 or more, or an array with mode and max_attempts, which is 1 or more');
        }
        return $attempts;
    }

    /**
     * Retries are bounded by time here: by the time that so many attempts take which time out. And nothing is cut short that
     * was given longer than a call lasts by itself.
     *
     * @param array<string, mixed> $options
     * @return array<string, int>
     */
    private static function deadline(array $options, ?int $attempts): array
    {
        $attempt = $options['attempt_timeout_ms'] ?? self::DEFAULT_ATTEMPT_TIMEOUT_MS;
        $longest = max($options['connect_timeout_ms'] ?? 0, $attempt);
        return match (true) {
            $attempts !== null => ['timeout_ms' => max($longest, $attempts * $attempt)],
            $longest > self::DEFAULT_TIMEOUT_MS => ['timeout_ms' => $longest],
            default => [],
        };
    }

    private static function credentials(#[\SensitiveParameter] mixed $given): array
    {
        if (is_object($given) && is_callable([$given, 'toArray'])) {
            $given = $given->toArray();
        }
        if (!is_array($given) || !isset($given['key'], $given['secret'])) {
            throw self::refused('credentials', 'takes an array with key, secret and, if there is one, token: leave it out for'
                . ' the credentials of the environment, a profile or the instance');
        }
        foreach ($given as $name => $value) {
            if ($value !== null && !in_array($name, ['key', 'secret', 'token', 'accountId', 'source'], true)) {
                throw self::refused("credentials.{$name}", 'has no counterpart: credentials that are given here do not change;'
                    . ' leave them out where they expire, and use a profile or a role');
            }
        }
        return [
            'access_key_id' => $given['key'],
            'secret_access_key' => $given['secret'],
            'session_token' => $given['token'] ?? null,
        ];
    }

    private static function http(mixed $given): array
    {
        if (!is_array($given)) {
            throw self::refused('http', 'takes an array, not ' . get_debug_type($given));
        }
        $options = [];
        foreach ($given as $name => $value) {
            if ($value === null) {
                continue;
            }
            $options += match ($name) {
                'connect_timeout' => ['connect_timeout_ms' => self::milliseconds($name, $value)],
                'timeout' => ['attempt_timeout_ms' => self::milliseconds($name, $value)],
                'verify' => self::verify($value),
                default => throw self::unknown("http.{$name}"),
            };
        }
        return $options;
    }

    private static function milliseconds(string $name, mixed $seconds): int
    {
        if (!is_int($seconds) && !is_float($seconds) || !is_finite($seconds) || $seconds <= 0) {
            throw self::refused("http.{$name}", 'takes a number of seconds above 0: nothing waits without end here');
        }
        return max(1, (int) round($seconds * 1000));
    }

    private static function verify(mixed $verify): array
    {
        return match (true) {
            $verify === true => [],
            is_string($verify) => ['ca_bundle' => $verify],
            default => throw self::refused('http.verify', 'is false, and certificates are always checked: give the path of a'
                . ' file of certificate authorities instead'),
        };
    }

    private static function unknown(string $name): InvalidOptionException
    {
        return self::refused($name, self::INSTEAD[$name]
            ?? 'has no counterpart in flagstore: leave it out, or pass an option of the store in flagstore_options');
    }

    // Never the value: it may be a credential.
    private static function refused(string $name, string $why): InvalidOptionException
    {
        return new InvalidOptionException("the option \"{$name}\" of dynamodb_options {$why}");
    }
}
