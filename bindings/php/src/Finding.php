<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * One thing that Store::doctor() looked at.
 */
final class Finding
{
    /**
     * @param string $check what was looked at, such as "credentials"; docs/doctor.md has them all
     * @param 'ok'|'note'|'warning'|'problem' $level
     * @param string $found what was seen, as a sentence that holds no secret
     * @param string|null $remedy what to do about it; null where there is nothing to do
     */
    public function __construct(
        public readonly string $check,
        public readonly string $level,
        public readonly string $found,
        public readonly ?string $remedy,
    ) {
    }
}
