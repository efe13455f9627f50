/** What can go wrong. Everything here can be imported from `flagstore`. */

import type { InitReport } from './reports.js';

/** The errors of `flagstore.h` by name. Numbers are stable and never reused. */
export const CODES = {
  STORE_ERROR_PANIC: -1,
  STORE_ERROR_NULL_ARGUMENT: -2,
  STORE_ERROR_INVALID_UTF8: -3,
  STORE_ERROR_INVALID_LENGTH: -4,
  STORE_ERROR_INVALID_HANDLE: -5,
  STORE_ERROR_TOO_MANY_STORES: -6,
  STORE_ERROR_UNKNOWN_OPTION: -7,
  STORE_ERROR_OPTION_TYPE: -8,
  STORE_ERROR_OPTION_VALUE: -9,
  STORE_ERROR_EMPTY_TABLE_NAME: -10,
  STORE_ERROR_EMPTY_KEY: -11,
  STORE_ERROR_EMPTY_KIND: -12,
  STORE_ERROR_KEY_TOO_LONG: -13,
  STORE_ERROR_INVALID_VERSION: -14,
  STORE_ERROR_INVALID_JSON: -15,
  STORE_ERROR_DUPLICATE_KEY: -16,
  STORE_ERROR_EMPTY_ITEM: -17,
  STORE_ERROR_TABLE_NOT_FOUND: -30,
  STORE_ERROR_KEY_SCHEMA: -31,
  STORE_ERROR_ACCESS_DENIED: -32,
  STORE_ERROR_INVALID_CREDENTIALS: -33,
  STORE_ERROR_EXPIRED_CREDENTIALS: -34,
  STORE_ERROR_NO_CREDENTIALS: -35,
  STORE_ERROR_NO_REGION: -36,
  STORE_ERROR_CLOCK_SKEW: -37,
  STORE_ERROR_THROTTLED: -38,
  STORE_ERROR_TIMEOUT: -39,
  STORE_ERROR_CONNECTION: -40,
  STORE_ERROR_SERVICE: -41,
  STORE_ERROR_UNEXPECTED_RESPONSE: -42,
  STORE_ERROR_REJECTED: -43,
  STORE_ERROR_CALLED_IN_CALLBACK: -44,
  STORE_ERROR_RUNTIME: -45,
  STORE_CANCELLED: -46,
} as const;

/** The name of an error, such as `"STORE_ERROR_TIMEOUT"`. */
export type CodeName = keyof typeof CODES;

/**
 * A call that failed.
 *
 * The message says what was attempted, what happened and what to do. It never holds a credential or a payload.
 */
export class FlagStoreError extends Error {
  /** `"FlagStoreError"`; of a call that a signal cancelled `"AbortError"`, as elsewhere in Node.js. */
  override readonly name: 'FlagStoreError' | 'AbortError';
  /** The number of `flagstore.h`: negative, stable, never reused. */
  readonly code: number;
  /** The name of {@link code}; `"STORE_UNKNOWN"` if the library is newer than this package and knows more. */
  readonly codeName: CodeName | 'STORE_UNKNOWN';
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retriable: boolean;
  /** What an `init` had done when it failed or was cancelled; undefined for what is no init, or had not begun. */
  readonly report: InitReport | undefined;

  constructor(
    codeName: CodeName | 'STORE_UNKNOWN',
    message: string,
    retriable = false,
    code?: number,
    more: { cause?: unknown; report?: InitReport | undefined } = {},
  ) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    this.name = codeName === 'STORE_CANCELLED' ? 'AbortError' : 'FlagStoreError';
    this.codeName = codeName;
    this.code = code ?? (codeName === 'STORE_UNKNOWN' ? 0 : CODES[codeName]);
    this.retriable = retriable;
    this.report = more.report;
  }
}

/** `libflagstore`, or this package's native part, is missing, unreadable or of another ABI; the message says where it
 * was looked for. */
export class LibraryError extends Error {
  override readonly name = 'LibraryError';
}
