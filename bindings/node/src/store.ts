/** The store: what the LaunchDarkly SDKs keep in DynamoDB, read and written through `libflagstore`. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import { unusableExtraFile, withExtraCertificates } from './certificates.js';
import { FlagStoreError } from './errors.js';
import { harmless, quoted } from './logging.js';
import { errorOf, type Failure, type Item, type Native, native, type Outcome } from './native.js';
import { type InitReport, type Report, reportOf, type Statistics, statisticsOf } from './reports.js';
import { type FlagStoreOptions, kindOf, type Logger, optionsJson, withNamesFromHere } from './options.js';

/** An item to be stored. */
export interface NewItem {
  /** Decides which of two writes wins: a whole number from 0 to 2^53 - 1. */
  readonly version: number;
  /** The payload, opaque to the store; only a deleted item may go without. */
  readonly item?: string | undefined;
  /** Whether the item is deleted: it is then stored in the form that every SDK reads as deleted. */
  readonly deleted?: boolean | undefined;
}

/** How a call is made; the last argument of each. */
export interface CallOptions {
  /**
   * Cancels the call: its request is dropped, and it rejects with a {@link FlagStoreError} whose `name` is `"AbortError"`, whose
   * `codeName` is `"STORE_CANCELLED"` and whose `cause` is the signal's reason. A cancelled upsert may have been written or
   * not; a cancelled init begins no further write, and the error's `report` says what it had done.
   */
  readonly signal?: AbortSignal | undefined;
}

/** What came of an upsert. */
export type UpsertResult =
  /** The table holds the new item. */
  | { readonly outcome: 'written' }
  /** The table held this version or a newer one, which stays. */
  | { readonly outcome: 'newerExists'; readonly stored: Item }
  /** The item is over DynamoDB's 400 KB; the older row, if any, stays. */
  | { readonly outcome: 'tooLarge' };

/** Something that a store reports besides the results of calls. */
export interface Event {
  readonly level: Level;
  readonly message: string;
}

export type Level = 'error' | 'warn' | 'info' | 'debug';

const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug'];

const NOT_FOUND = 1;
const NEWER_EXISTS = 2;

/** How often reads that go well look for events. */
const MS_BETWEEN_LOOKS = 100;

/** Items that cross between JavaScript and the library in one turn of the event loop: about a millisecond's work. */
const ITEMS_A_TURN = 500;
const CHARACTERS_A_TURN = 250_000;

// Closes a store that was forgotten. It knows the number and not the store, which would never be collected otherwise.
const forgotten = new FinalizationRegistry<bigint>(handle => native().close(handle));

/** A failure in which options have their names from here. */
function withNames(failure: Outcome): Outcome {
  const { message } = failure as Failure;
  return { ...failure, message: withNamesFromHere(message) } as Outcome;
}

/**
 * One table, or one prefix of it.
 *
 * No method blocks the event loop, and any number of calls may be under way at once. Every call ends at the deadline
 * that the options set for it. Calls reject with a {@link FlagStoreError}, or a `TypeError` for an argument of another
 * type. A call under way keeps the process alive; a store that is merely open does not.
 *
 * A store belongs to the thread that opened it. Workers open their own, which costs little: equal options share
 * connections and cache.
 *
 * ```ts
 * await using store = FlagStore.open({ table: 'flags', prefix: 'production', region: 'eu-west-1' });
 * const flag = await store.get('features', 'my-flag');
 * ```
 */
export class FlagStore {
  readonly #native: Native;
  readonly #table: string;
  readonly #logger: Logger | undefined;
  #handle: bigint;
  #closed = false;
  #delivering = false;
  #nextLook = 0;
  #underWay = 0;
  #whenIdle: (() => void)[] = [];

  /**
   * Opens a store. Costs no network I/O and needs no table; a wrong one shows at the first call.
   *
   * @throws {FlagStoreError} an option is unknown, of the wrong type or out of range; the message names it
   * @throws {LibraryError} `libflagstore` cannot be loaded
   */
  static open(options: FlagStoreOptions): FlagStore {
    return new FlagStore(options);
  }

  /**
   * Looks at everything between this process and its flags, says what is wrong and what to do about it.
   *
   * Opens no store. It reads all flags and segments once, and asks for two writes that cannot succeed; nothing is written or
   * cached. Whatever is wrong with table, network or credentials stands in the report. Takes at most four times `timeoutMs`
   * and twice `allTimeoutMs`, on a thread of its own, and keeps the process alive meanwhile. Change no variable of
   * `process.env` in the turn that begins it: the thread reads them.
   *
   * @param options those of {@link open}; the logger is not used
   * @throws {FlagStoreError} an option is unknown, of the wrong type or out of range; the message names it
   * @throws {LibraryError} `libflagstore` cannot be loaded
   */
  static async doctor(options: FlagStoreOptions): Promise<Report> {
    const outcome = await native().doctor(optionsJson(withExtraCertificates(options)));
    if (outcome.code < 0) throw errorOf(withNames(outcome));
    return JSON.parse(outcome.text!) as Report;
  }

  private constructor(options: FlagStoreOptions) {
    this.#native = native();
    this.#table = options.table;
    this.#logger = harmless(options.logger);
    const handle = this.#native.open(optionsJson(withExtraCertificates(options)));
    if (typeof handle !== 'bigint') {
      throw errorOf(withNames(handle));
    }
    this.#handle = handle;
    forgotten.register(this, handle, this);
    const unusable = unusableExtraFile(options);
    if (unusable !== undefined) {
      this.#logger?.warn(
        `NODE_EXTRA_CA_CERTS names ${quoted(unusable)}, of which no certificate could be read: they are trusted no more than by Node.js`,
      );
    }
  }

  /**
   * Reads one item, a deleted one included: look at its `deleted`. Undefined if there is no row, or one that cannot be
   * read, which an event reports. Takes at most `timeoutMs`. What the cache has is answered without a turn of the event
   * loop: a long loop of such gets has to leave turns for others, as any loop that awaits nothing else.
   */
  get(kind: string, key: string, options: CallOptions = {}): Promise<Item | undefined> {
    if (options.signal === undefined && isText(kind) && isText(key)) {
      const item = this.#native.getCached(this.#handle, kind, key);
      const { 0: code, 1: version, 2: flags } = this.#native.cached;
      if (code === 0 || code === NOT_FOUND) {
        if (code === NOT_FOUND || performance.now() > this.#nextLook) this.#deliverEvents();
        if (code === NOT_FOUND) return Promise.resolve(undefined);
        return Promise.resolve({
          version: version!,
          item,
          deleted: (flags! & 1) !== 0,
          stale: (flags! & 2) !== 0,
        });
      }
    }
    // What fails does so there, with a stack that leads to who called.
    return this.#get(kind, key, options);
  }

  async #get(kind: string, key: string, { signal }: CallOptions): Promise<Item | undefined> {
    checkText('kind', kind);
    checkText('key', key);
    const { item } = await this.#call(() => this.#native.get(this.#handle, kind, key), signal, true);
    return item;
  }

  /**
   * Reads all items of a kind by key, deleted ones included, in no particular order. A row that cannot be read is left
   * out, and an event reports it. Takes at most `allTimeoutMs`.
   */
  async all(kind: string, { signal }: CallOptions = {}): Promise<Map<string, Item>> {
    checkText('kind', kind);
    const { list, count } = await this.#call(() => this.#native.getAll(this.#handle, kind), signal);
    const all = new Map<string, Item>();
    for (let from = 0; from < count!; from += ITEMS_A_TURN) {
      if (from > 0) await nextTurn();
      const part = this.#native.items(list!, from, ITEMS_A_TURN);
      for (let place = 0; place < part.length; place += 5) {
        const [key, version, item, deleted, stale] = part.slice(place, place + 5);
        all.set(key as string, { version, item, deleted, stale } as Item);
      }
    }
    return all;
  }

  /**
   * Writes one item if there is no row for it, or one with a smaller version, in one request. Takes at most `timeoutMs`.
   *
   * After a `STORE_ERROR_TIMEOUT` or `STORE_ERROR_CONNECTION` it may have been written or not; calling again is safe.
   */
  async upsert(
    kind: string,
    key: string,
    item: NewItem,
    { signal }: CallOptions = {},
  ): Promise<UpsertResult> {
    checkText('kind', kind);
    checkText('key', key);
    const { version, deleted, text } = checkedItem(key, item);
    const answer = await this.#call(
      () => this.#native.upsert(this.#handle, kind, key, version, deleted, text),
      signal,
    );
    if (answer.code === NEWER_EXISTS) return { outcome: 'newerExists', stored: answer.item! };
    return { outcome: answer.code === 0 ? 'written' : 'tooLarge' };
  }

  /** Marks an item as deleted by an upsert of a tombstone that every SDK reads. */
  delete(kind: string, key: string, version: number, options?: CallOptions): Promise<UpsertResult> {
    return this.upsert(kind, key, { version, deleted: true }, options);
  }

  /**
   * Replaces all items of the given kinds, then marks the store as initialised.
   *
   * Writes only what differs, segments first, then flags after their prerequisites; deletes the rows of these kinds
   * that are not given; leaves alone what another writer gave a newer version. Success means that everything is
   * stored; after an error, calling again goes on where it stopped. Takes at most `initTimeoutMs`.
   *
   * @param data items by kind and key, as objects or maps
   */
  async init(data: ByKey<ByKey<NewItem>>, options: CallOptions = {}): Promise<InitReport> {
    return this.#report(this.#dataSet(data), options);
  }

  /**
   * {@link init} with JSON as a LaunchDarkly SDK has it: `{"flags": {key: item}, "segments": {key: item}}`, also inside
   * the `{"path": "/", "data": …}` of a stream. Each item's text is stored byte for byte; its version is its member
   * `version`, and `"deleted": true` makes it a deletion.
   */
  async initJson(json: string, options: CallOptions = {}): Promise<InitReport> {
    if (typeof json !== 'string')
      throw new TypeError(`the argument "json" takes a string, not ${kindOf(json)}`);
    return this.#report(this.#dataSetOf(json), options);
  }

  /**
   * Whether a full data set was ever stored under this prefix. Once true it is answered without I/O, else it takes at
   * most `timeoutMs`.
   */
  async initialized({ signal }: CallOptions = {}): Promise<boolean> {
    return (await this.#call(() => this.#native.initialized(this.#handle), signal)).initialized!;
  }

  /**
   * Whether the table answers, by one small read that is never cached. Takes at most `timeoutMs`. Rejects only if it is cancelled; why it
   * is not available goes to the logger at debug level, and any other call tells.
   */
  async available({ signal }: CallOptions = {}): Promise<boolean> {
    try {
      await this.#call(() => this.#native.available(this.#handle), signal);
      return true;
    } catch (error) {
      if (!(error instanceof FlagStoreError) || error.codeName === 'STORE_CANCELLED') throw error;
      this.#logger?.debug(`the table "${this.#table}" is not available: ${error.message}`);
      return false;
    }
  }

  /**
   * When big segments were last brought up to date, in Unix milliseconds; undefined if they never were. Takes at most
   * `timeoutMs`.
   */
  async bigSegmentsMetadata({ signal }: CallOptions = {}): Promise<number | undefined> {
    return (await this.#call(() => this.#native.bigSegmentsMetadata(this.#handle), signal)).synchronizedOn;
  }

  /**
   * The big segments that name one context, by segment reference (`key.g<generation>`): true where it is included,
   * false where it is excluded. Undefined if there are none. Takes at most `timeoutMs`.
   *
   * @param contextHash base64 of the SHA-256 of the context's key
   */
  async bigSegmentsMembership(
    contextHash: string,
    { signal }: CallOptions = {},
  ): Promise<Record<string, boolean> | undefined> {
    checkText('contextHash', contextHash);
    const ask = () => this.#native.bigSegmentsMembership(this.#handle, contextHash);
    return (await this.#call(ask, signal)).segments;
  }

  /** What the store did since it was opened in this process. */
  statistics(): Statistics {
    const json = this.#native.statistics(this.#handle);
    if (typeof json !== 'string') throw this.#failed(json);
    return statisticsOf(json);
  }

  /** Forgets everything that is cached; the next reads ask DynamoDB. */
  clearCache(): void {
    const failure = this.#native.clearCache(this.#handle);
    if (failure) throw this.#failed(failure);
  }

  /** Takes the events that were not taken yet, oldest first. With a logger, calls have taken most of them already. */
  *events(): Generator<Event, void, undefined> {
    for (;;) {
      const event = this.#native.nextEvent(this.#handle);
      if (event === undefined) return;
      if (!('text' in event)) throw this.#failed(event);
      yield { level: LEVELS[event.level - 1] ?? 'info', message: event.text };
    }
  }

  /**
   * Closes the store: calls under way finish undisturbed, later ones reject with `STORE_ERROR_INVALID_HANDLE`. Calling
   * it again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#deliverEvents();
    this.#closed = true;
    forgotten.unregister(this);
    const handle = this.#handle;
    // Never a store, while the number of a closed one comes round again after many thousands.
    this.#handle = 0n;
    // An init under way may not have reached the library yet.
    if (this.#underWay > 0) this.#whenIdle.push(() => this.#native.close(handle));
    else this.#native.close(handle);
  }

  /** Whether {@link close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** {@link close}, for `await using`; waits for the calls that are under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    if (this.#underWay > 0) await new Promise<void>(resolve => this.#whenIdle.push(resolve));
  }

  /** The answer to a call; throws its error here, so that the stack leads to who called. */
  async #call<Answer extends Outcome>(
    start: () => Answer | Promise<Answer>,
    signal: AbortSignal | undefined,
    often = false,
  ): Promise<Answer> {
    if (signal?.aborted) throw cancelled('it was cancelled before it began', signal);
    this.#underWay++;
    let stop: (() => void) | undefined;
    try {
      const answer = start();
      if (signal !== undefined && answer instanceof Promise) {
        const call = this.#native.lastCall();
        stop = () => this.#native.cancel(call);
        signal.addEventListener('abort', stop);
      }
      const outcome = await answer;
      if (outcome.code < 0) throw this.#failed(outcome, signal);
      if (!often || outcome.code === NOT_FOUND || performance.now() > this.#nextLook) this.#deliverEvents();
      return outcome;
    } finally {
      if (stop !== undefined) signal!.removeEventListener('abort', stop);
      this.#ended();
    }
  }

  #ended(): void {
    if (--this.#underWay === 0) this.#whenIdle.splice(0).forEach(resolve => resolve());
  }

  async #report(data: Promise<ReturnType<Native['dataSet']>>, { signal }: CallOptions): Promise<InitReport> {
    // Putting the data together takes turns of the event loop, in which the store may be closed.
    const handle = this.#handle;
    this.#underWay++;
    try {
      const set = await data;
      const { report } = await this.#call(() => this.#native.init(handle, set), signal);
      return reportOf(report!);
    } finally {
      this.#ended();
    }
  }

  #failed(outcome: Outcome & { readonly report?: string }, signal?: AbortSignal): FlagStoreError {
    const error = errorOf(outcome, {
      ...(signal?.aborted && { cause: signal.reason as unknown }),
      report: outcome.report === undefined ? undefined : reportOf(outcome.report),
    });
    this.#deliverEvents();
    if (error.codeName !== 'STORE_ERROR_INVALID_HANDLE' || !this.#closed) return error;
    return new FlagStoreError(
      error.codeName,
      `the store of table "${this.#table}" is closed: open another one`,
    );
  }

  /** Gives the logger what was not taken yet. A logger that uses the store gets what its calls bring after a later
   * call, so that the two do not feed each other without end. */
  #deliverEvents(): void {
    if (this.#logger === undefined || this.#delivering || this.#closed) return;
    this.#delivering = true;
    this.#nextLook = performance.now() + MS_BETWEEN_LOOKS;
    try {
      for (const { level, message } of [...this.events()]) this.#logger[level](message);
    } finally {
      this.#delivering = false;
    }
  }

  /** The data as the library takes it, put together over several turns of the event loop. */
  async #dataSet(data: ByKey<ByKey<NewItem>>): Promise<ReturnType<Native['dataSet']>> {
    const set = this.#native.dataSet();
    let characters = 0;
    for (const [kind, items] of entries('data', data)) {
      checkText('kind', kind);
      this.#native.dataSetKind(set, kind);
      let rows: unknown[] = [];
      for (const [key, item] of entries('data', items)) {
        checkText('key', key);
        const { version, deleted, text } = checkedItem(key, item);
        rows.push(key, version, text, deleted);
        characters += text?.length ?? 0;
        if (rows.length < 4 * ITEMS_A_TURN && characters < CHARACTERS_A_TURN) continue;
        this.#native.dataSetAdd(set, rows);
        rows = [];
        characters = 0;
        await nextTurn();
      }
      this.#native.dataSetAdd(set, rows);
    }
    return set;
  }

  /** The same of a text in JSON. */
  async #dataSetOf(json: string): Promise<ReturnType<Native['dataSet']>> {
    const set = this.#native.dataSet();
    for (let from = 0, end; ; from = end) {
      end = Math.min(from + CHARACTERS_A_TURN, json.length);
      if (end < json.length && isFirstOfPair(json.charCodeAt(end - 1))) end++;
      const part = json.slice(from, end);
      checkText('json', part);
      this.#native.dataSetJson(set, part);
      if (end === json.length) return set;
      await nextTurn();
    }
  }
}

function cancelled(why: string, signal: AbortSignal): FlagStoreError {
  return new FlagStoreError('STORE_CANCELLED', `the call: ${why}`, false, undefined, {
    cause: signal.reason,
  });
}

/** A high surrogate, which belongs to what comes next. */
function isFirstOfPair(codeUnit: number): boolean {
  return codeUnit >> 10 === 0xd800 >> 10;
}

/** An object or a map with values by name. */
export type ByKey<Value> = Readonly<Record<string, Value>> | ReadonlyMap<string, Value>;

function entries<Value>(name: string, values: ByKey<Value>): Iterable<[string, Value]> {
  if (values instanceof Map) return values as ReadonlyMap<string, Value>;
  if (!isPlain(values)) {
    throw new TypeError(
      `the argument "${name}" takes objects or maps by kind and key, not ${kindOf(values)}`,
    );
  }
  return Object.entries(values);
}

/** Whether what an object's members are is all there is to it: an array or a promise would pass for one without any, and
 * an init of it would delete what is stored. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isText(text: unknown): boolean {
  return typeof text === 'string' && text.isWellFormed();
}

function checkText(name: string, text: string): void {
  if (typeof text !== 'string')
    throw new TypeError(`the argument "${name}" takes a string, not ${kindOf(text)}`);
  if (text.isWellFormed()) return;
  const message = `the argument "${name}" has a lone surrogate, which UTF-8 cannot hold: correct the text`;
  throw new FlagStoreError('STORE_ERROR_INVALID_UTF8', message);
}

function checkedItem(
  key: string,
  given: NewItem,
): { version: number; deleted: boolean; text: string | undefined } {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`the item "${key}" takes an object with a version, not ${kindOf(given)}`);
  }
  const { version, item, deleted = false } = given;
  if (typeof version !== 'number') {
    throw new TypeError(`the version of "${key}" takes a number, not ${kindOf(version)}`);
  }
  if (!Number.isSafeInteger(version)) {
    const message = `the version ${version} of "${key}" is no whole number from 0 to 2^53 - 1: correct the item`;
    throw new FlagStoreError('STORE_ERROR_INVALID_VERSION', message);
  }
  if (typeof deleted !== 'boolean') {
    throw new TypeError(`the member "deleted" of "${key}" takes a boolean, not ${kindOf(deleted)}`);
  }
  if (item !== undefined) checkText('item', item);
  return { version, deleted, text: item };
}
