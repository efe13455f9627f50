<?php

declare(strict_types=1);

namespace Flagstore;

/**
 * How PHP reaches libflagstore.
 */
enum Transport: string
{
    /** The native extension "flagstore". */
    case Extension = 'extension';
    /** PHP's own extension "ffi". */
    case Ffi = 'ffi';
}
