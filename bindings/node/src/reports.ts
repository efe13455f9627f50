/** What the library reports in JSON: of an init, and of everything that a store did. */

/** How many rows something happened to for one reason, and the first ten of them. */
export interface Reason {
  readonly count: number;
  readonly keys: readonly { readonly kind: string; readonly key: string }[];
}

/** What an init did, in rows. */
export interface InitReport {
  readonly written: number;
  readonly unchanged: number;
  readonly deleted: number;
  /** Rows that stayed because they were newer than the data set. */
  readonly keptNewer: number;
  /** Items that were left out because they are over DynamoDB's 400 KB. */
  readonly tooLarge: readonly { readonly kind: string; readonly key: string; readonly bytes: number }[];
  /** Items over 400 KB that were written deflated, see `compressLarge`. */
  readonly deflated: Reason;
  /** Rows written over what a version alone would have kept, by reason, such as `otherEnvironment`. */
  readonly replaced: Readonly<Record<string, Reason>>;
  /** Rows that the data set would not have, by reason, such as `olderDataSet`. */
  readonly kept: Readonly<Record<string, Reason>>;
  /** Items that were not taken, by reason: `emptyKey`. */
  readonly leftOut: Readonly<Record<string, Reason>>;
}

/** What a store did since it was opened in this process, and what its cache holds now. */
export interface Statistics {
  /** Reads out of the cache, past it, joined to another's request, served beyond their time, made ahead. */
  readonly hits: number;
  readonly misses: number;
  readonly coalesced: number;
  readonly stale: number;
  readonly refreshes: number;
  /** Of the stale ones, those that did not wait, and the age of the oldest. */
  readonly servedWhileAway: number;
  readonly oldestStaleMs: number;
  /** 1 while DynamoDB does not answer, else 0. */
  readonly away: number;
  /** Requests to DynamoDB, and of them repetitions, throttled ones and failed ones. */
  readonly requests: number;
  readonly retries: number;
  readonly throttles: number;
  readonly errors: number;
  /** Capacity consumed. */
  readonly readUnits: number;
  readonly writeUnits: number;
  /** Rows that could not be read, and events that nobody took in time. */
  readonly skippedRows: number;
  readonly droppedEvents: number;
  /** What the cache holds now, and answers that were too large to be kept. */
  readonly cachedItems: number;
  readonly cachedLists: number;
  readonly cachedBytes: number;
  readonly uncached: number;
  /** What could not be written yet; reads from the host's directory, and what went wrong with it. */
  readonly unwritten: number;
  readonly hostHits: number;
  readonly hostTrouble: number;
}

/** One thing that {@link FlagStore.doctor} looked at. */
export interface Finding {
  /** What was looked at, such as `"credentials"`; docs/doctor.md has them all. */
  readonly check: string;
  readonly level: 'ok' | 'note' | 'warning' | 'problem';
  /** What was seen, as a sentence that holds no secret. */
  readonly found: string;
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null;
}

/** What {@link FlagStore.doctor} found between this process and its flags. */
export interface Report {
  /** How many findings have the level `problem`: 0 where flags arrive. */
  readonly problems: number;
  /** How many have the level `warning`. */
  readonly warnings: number;
  readonly findings: readonly Finding[];
}

/** The report of an init, as the library writes it. */
export function reportOf(json: string): InitReport {
  const did = inCamelCase(JSON.parse(json) as Record<string, unknown>);
  for (const name of ['replaced', 'kept', 'leftOut']) {
    did[name] = inCamelCase(did[name] as Record<string, unknown>);
  }
  return did as unknown as InitReport;
}

/** What a store did, as the library writes it. */
export function statisticsOf(json: string): Statistics {
  return inCamelCase(JSON.parse(json) as Record<string, unknown>) as unknown as Statistics;
}

function inCamelCase(members: Record<string, unknown>): Record<string, unknown> {
  const renamed = Object.entries(members).map(([name, value]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(renamed) as Record<string, unknown>;
}
