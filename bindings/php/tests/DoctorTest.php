<?php

declare(strict_types=1);

namespace Flagstore\Tests;

use Flagstore\Finding;
use Flagstore\Item;
use Flagstore\OptionException;
use Flagstore\Report;
use Flagstore\Store;

/**
 * The report of the library, as PHP has it.
 */
final class DoctorTest extends TestCase
{
    public function testATableThatIsInOrderHasNoProblem(): void
    {
        $this->store()->init(['features' => ['flag' => new Item(1, '{"key":"flag","version":1}')], 'segments' => []]);
        $report = Store::doctor($this->options());
        self::assertSame([0, 0], [$report->problems, $report->warnings], print_r($report, true));
        self::assertSame(['ok'], array_unique(array_map(static fn (Finding $one): string => $one->level, $report->findings)));
        self::assertStringStartsWith('1 row', self::finding($report, 'features')->found);
        self::assertNull(self::finding($report, 'features')->remedy);
        self::assertStringNotContainsString($this->options()['secret_access_key'], print_r($report, true));
    }

    public function testATableThatIsMissingIsNamedWithARemedy(): void
    {
        $report = Store::doctor(['table' => 'no-such-table'] + $this->options());
        self::assertSame(1, $report->problems);
        $missing = self::finding($report, 'table');
        self::assertSame('problem', $missing->level);
        self::assertStringContainsString('no-such-table', $missing->found);
        self::assertNotNull($missing->remedy);
    }

    public function testAnOptionThatIsUnknownIsRefused(): void
    {
        $refused = self::failure(fn () => Store::doctor(['tabel' => 'flags', 'region' => null] + $this->options()));
        self::assertInstanceOf(OptionException::class, $refused);
        self::assertStringContainsString('tabel', $refused->getMessage());
    }

    private static function finding(Report $report, string $check): Finding
    {
        foreach ($report->findings as $finding) {
            if ($finding->check === $check) {
                return $finding;
            }
        }
        self::fail("nothing was found about {$check}");
    }
}
