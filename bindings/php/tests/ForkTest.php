<?php

declare(strict_types=1);

namespace Flagstore\Tests;

/**
 * A child may use, close and exit with stores that its parent opened and used.
 */
final class ForkTest extends TestCase
{
    /** With FLAGSTORE_LONG=1 each runs 200 times. */
    private const TIMES = 25;

    /**
     * @return iterable<string, array{string}>
     */
    public static function scenarios(): iterable
    {
        preg_match_all('/private function (\w+)\((?:int \$depth = 3)?\): void\n    \{\n        (?:\$store|\[)/', file_get_contents(__DIR__ . '/fork.php'), $found);
        foreach ($found[1] as $name) {
            yield $name => [$name];
        }
    }

    public function testAllScenariosAreFound(): void
    {
        self::assertCount(8, iterator_to_array(self::scenarios()));
    }

    /**
     * @dataProvider scenarios
     */
    public function testForking(string $name): void
    {
        $times = getenv('FLAGSTORE_LONG') ? 200 : self::TIMES;
        $arguments = [__DIR__ . '/fork.php', $name, (string) $times, json_encode($this->options())];
        self::assertSame([0, 'done'], self::php($arguments, [], 300));
    }
}
