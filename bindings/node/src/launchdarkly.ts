/**
 * The stores of the LaunchDarkly SDK, in place of the SDK's own DynamoDB integration:
 *
 * ```ts
 * import { DynamoDBFeatureStore } from 'flagstore/launchdarkly'; // was: '@launchdarkly/node-server-sdk-dynamodb'
 *
 * const client = init(sdkKey, { featureStore: DynamoDBFeatureStore('my-table', { prefix: 'production' }) });
 * ```
 *
 * Same arguments, same table, same rows: processes with either one share a table.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

import {
  type DataKind,
  type interfaces,
  type LDFeatureStore,
  type LDFeatureStoreDataStorage,
  type LDFeatureStoreItem,
  type LDFeatureStoreKindData,
  type LDKeyedFeatureStoreItem,
  type LDLogger,
  PersistentDataStoreWrapper,
} from '@launchdarkly/node-server-sdk';

import { type ClientOptions, translated } from './client-options.js';
import { FlagStoreError } from './errors.js';
import { isEvaluable } from './evaluable.js';
import { harmless, quoted } from './logging.js';
import { type Item, libraryPath, libraryVersion } from './native.js';
import { type FlagStoreOptions, kindOf } from './options.js';
import type { Report } from './reports.js';
import { FlagStore, type NewItem } from './store.js';

export type {
  AgentOptions,
  ClientOptions,
  Credentials,
  EndpointParts,
  HandlerOptions,
} from './client-options.js';

type Descriptor = interfaces.SerializedItemDescriptor;
type Kind = interfaces.PersistentStoreDataKind;

/** The options of the SDK's integration, and {@link storeOptions}. */
export interface LDDynamoDBOptions {
  /** Of the AWS SDK's client. What has no counterpart here is refused by name. */
  clientOptions?: ClientOptions | undefined;
  /** Refused: there is no AWS SDK here that could use it. Give `clientOptions` instead. */
  dynamoDBClient?: undefined;
  /** Put before every namespace, with a colon; empty, the default, for none. */
  prefix?: string | undefined;
  /** How long the SDK serves what it has read or written without reading it again, in seconds: 15; 0 for not at all. */
  cacheTTL?: number | undefined;
  /** Receives what the store has to say; by default the SDK's logger. */
  logger?: LDLogger | undefined;
  /** Options of {@link FlagStore}, which win over all others. */
  storeOptions?: Partial<FlagStoreOptions> | undefined;
}

/** What the SDK hands to the function that makes a store. */
export interface Context {
  readonly basicConfiguration?: { readonly logger?: LDLogger | undefined };
}

const DEFAULT_CACHE_TTL = 15;

/** Of a row that cannot be read, each version is reported once. This many are remembered. */
const REPORTS_REMEMBERED = 10_000;

/** Items that are tried in one turn of the event loop: a few milliseconds' work. */
const ITEMS_A_TURN = 200;

/** No shorter text is nested too deeply to be written as JSON again. */
const HARMLESS_LENGTH = 4_096;

/**
 * A feature store for the option `featureStore` of the SDK.
 *
 * The cache is the SDK's own, as with its own integration. Costs no network I/O and needs no table yet.
 *
 * @param tableName name of an existing table, whose key is `namespace` (string) and `key` (string)
 * @throws {FlagStoreError} an option is unknown or wrong; the message names it
 */
export function DynamoDBFeatureStore(
  tableName: string,
  options: LDDynamoDBOptions = {},
): (context: Context) => LDFeatureStore {
  const storeOptions = storeOptionsOf(tableName, options);
  const cacheTtl = cacheTtlOf(options);
  return context => {
    const logger = options.logger ?? context?.basicConfiguration?.logger;
    return new FeatureStore(opened({ logger, ...storeOptions }), cacheTtl, harmless(logger));
  };
}

/** A Big Segment store for the option `bigSegments.store` of the SDK. Parameters and errors as for
 * {@link DynamoDBFeatureStore}; the SDK caches these by itself, and `cacheTTL` has no meaning. */
export function DynamoDBBigSegmentStore(
  tableName: string,
  options: LDDynamoDBOptions = {},
): (context: Context) => interfaces.BigSegmentStore {
  const storeOptions = storeOptionsOf(tableName, options);
  return context => {
    const logger = options.logger ?? context?.basicConfiguration?.logger;
    return new BigSegmentStore(opened({ logger, ...storeOptions }));
  };
}

/**
 * Looks at everything between this process and its flags, as {@link FlagStore.doctor} does, with the arguments of
 * {@link DynamoDBFeatureStore}; neither `logger` nor `cacheTTL` matters here.
 *
 * @throws {FlagStoreError} an option is unknown or wrong; the message names it
 */
export async function doctor(tableName: string, options: LDDynamoDBOptions = {}): Promise<Report> {
  const { logger: _, ...storeOptions } = storeOptionsOf(tableName, options);
  return FlagStore.doctor(storeOptions);
}

function storeOptionsOf(table: string, options: LDDynamoDBOptions): FlagStoreOptions {
  const {
    clientOptions = {},
    dynamoDBClient,
    prefix,
    cacheTTL: _,
    logger: __,
    storeOptions,
    ...others
  } = options;
  if (dynamoDBClient !== undefined) {
    const message =
      'the option "dynamoDBClient" cannot be used, flagstore has a client of its own: give clientOptions';
    throw new FlagStoreError('STORE_ERROR_UNKNOWN_OPTION', message);
  }
  for (const name of Object.keys(others)) {
    throw new FlagStoreError(
      'STORE_ERROR_UNKNOWN_OPTION',
      `the option "${name}" is unknown: correct or remove it`,
    );
  }
  // A store that only reads is told nothing, and keeps nothing. All have it, so that all of a process share connections.
  return { table, prefix, keepTold: true, ...translated(clientOptions), ...storeOptions };
}

/** A store, after a word about where it is: most of what goes wrong with one is a table that nobody meant. */
function opened(options: FlagStoreOptions): FlagStore {
  const store = FlagStore.open(options);
  const { table, prefix, region, endpoint } = options;
  const namespaces = prefix ? `prefix ${quoted(prefix)}` : 'no prefix';
  const where = endpoint === undefined ? 'the endpoint of AWS or of the environment' : shown(endpoint);
  const regions = region === undefined ? 'the region of the environment' : `region ${quoted(region)}`;
  harmless(options.logger)?.info(
    `using DynamoDB table ${quoted(table)} with ${namespaces} at ${where} in ${regions}, ` +
      `through libflagstore ${libraryVersion()} (${libraryPath()})`,
  );
  return store;
}

/** Of a URL what says where: a user and a password may stand in it. */
function shown(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  return url === undefined ? 'an endpoint' : `${url.protocol}//${url.host}`;
}

function cacheTtlOf({ cacheTTL = DEFAULT_CACHE_TTL }: LDDynamoDBOptions): number {
  if (typeof cacheTTL === 'number' && cacheTTL >= 0) return cacheTTL;
  const message = `the option "cacheTTL" takes a number of seconds from 0, not ${kindOf(cacheTTL)}`;
  throw new FlagStoreError('STORE_ERROR_OPTION_VALUE', message);
}

/**
 * The SDK's caching wrapper around the store, minus its belief that every write succeeds.
 *
 * The wrapper takes each init as done and serves from then on what was to be written. When one fails, a new wrapper
 * takes its place, which has cached nothing and knows of no initialisation.
 *
 * The wrapper is what calls back the SDK. Where that happens out of {@link Core}, it waits until Core is done, so that
 * an exception out of the application is the application's, and not the rejection of a promise that nobody knows.
 */
class FeatureStore implements LDFeatureStore {
  readonly #store: FlagStore;
  readonly #cacheTtl: number;
  readonly #logger: LDLogger | undefined;
  #wrapper: PersistentDataStoreWrapper;

  constructor(store: FlagStore, cacheTtl: number, logger: LDLogger | undefined) {
    this.#store = store;
    this.#cacheTtl = cacheTtl;
    this.#logger = logger;
    this.#wrapper = this.#newWrapper();
  }

  init(allData: LDFeatureStoreDataStorage, callback: () => void): void {
    this.#wrapper.init(allData, afterCore(callback));
  }

  get(kind: DataKind, key: string, callback: (item: LDFeatureStoreItem | null) => void): void {
    this.#wrapper.get(kind, key, afterCore(callback));
  }

  all(kind: DataKind, callback: (items: LDFeatureStoreKindData) => void): void {
    this.#wrapper.all(kind, afterCore(callback));
  }

  upsert(kind: DataKind, data: LDKeyedFeatureStoreItem, callback: () => void): void {
    this.#wrapper.upsert(kind, data, afterCore(callback));
  }

  delete(kind: DataKind, key: string, version: number, callback: () => void): void {
    this.#wrapper.delete(kind, key, version, afterCore(callback));
  }

  initialized(callback: (initialized: boolean) => void): void {
    this.#wrapper.initialized(afterCore(callback));
  }

  close(): void {
    this.#wrapper.close();
    this.#store.close();
  }

  getDescription(): string {
    return this.#wrapper.getDescription();
  }

  #newWrapper(): PersistentDataStoreWrapper {
    const core = new Core(this.#store, this.#logger, () => {
      this.#wrapper.close();
      this.#wrapper = this.#newWrapper();
    });
    return new PersistentDataStoreWrapper(core, this.#cacheTtl, this.#logger);
  }
}

let inCore = false;

function afterCore<Arguments extends unknown[]>(callback: (...values: Arguments) => void) {
  return (...values: Arguments): void => {
    if (inCore) process.nextTick(callback, ...values);
    else callback(...values);
  };
}

/** Calls back the wrapper. */
function fromCore<Arguments extends unknown[]>(
  callback: (...values: Arguments) => void,
  ...values: Arguments
): void {
  inCore = true;
  try {
    callback(...values);
  } finally {
    inCore = false;
  }
}

/** What the SDK's wrapper asks for. It has no way to be told that something failed, so that is logged. */
class Core implements interfaces.PersistentDataStore {
  private readonly reported = new Set<string>();

  constructor(
    private readonly store: FlagStore,
    private readonly logger: LDLogger | undefined,
    private readonly onFailedInit: () => void,
  ) {}

  init(allData: interfaces.KindKeyedStore<Kind>, callback: (error?: Error) => void): void {
    const data = allData.map(({ key: kind, item: items }): [string, Map<string, NewItem>] => [
      kind.namespace,
      new Map(items.map(({ key, item }) => [key, newItem(item)])),
    ]);
    this.store.init(new Map(data)).then(
      () => fromCore(callback),
      (error: Error) => {
        this.failed('writing all flags and segments', error);
        fromCore(callback, error);
        this.onFailedInit();
      },
    );
  }

  get(kind: Kind, key: string, callback: (item: Descriptor | undefined) => void): void {
    this.store.get(kind.namespace, key).then(
      item => fromCore(callback, item && this.readable(kind, key, item)),
      (error: Error) => {
        this.failed(`reading ${quoted(key)} in "${kind.namespace}"`, error);
        fromCore(callback, undefined);
      },
    );
  }

  getAll(
    kind: Kind,
    callback: (items: interfaces.KeyedItem<string, Descriptor>[] | undefined) => void,
  ): void {
    this.allReadable(kind).then(
      items => fromCore(callback, items),
      (error: Error) => {
        this.failed(`reading all of "${kind.namespace}"`, error);
        fromCore(callback, undefined);
      },
    );
  }

  upsert(
    kind: Kind,
    key: string,
    descriptor: Descriptor,
    callback: (error?: Error, stored?: Descriptor) => void,
  ): void {
    this.store.upsert(kind.namespace, key, newItem(descriptor)).then(
      result => {
        // The wrapper caches what it is given, so it has to be what other processes read as well. Of an item that is
        // too large it is given nothing: they go on reading the older row.
        if (result.outcome === 'written') fromCore(callback, undefined, descriptor);
        else if (result.outcome === 'tooLarge') fromCore(callback);
        else
          fromCore(
            callback,
            undefined,
            this.readable(kind, key, result.stored) ?? tombstone(key, result.stored),
          );
      },
      // The wrapper logs these.
      (error: Error) => fromCore(callback, error),
    );
  }

  initialized(callback: (initialized: boolean) => void): void {
    this.store.initialized().then(
      initialized => fromCore(callback, initialized),
      (error: Error) => {
        this.failed('asking whether there are flags', error);
        fromCore(callback, false);
      },
    );
  }

  /** Called by newer versions of the SDK, after an error. */
  isStoreAvailable(callback: (available: boolean) => void): void {
    void this.store.available().then(available => fromCore(callback, available));
  }

  /** The store outlives the wrapper, and is closed by {@link FeatureStore}. */
  close(): void {}

  getDescription(): string {
    return 'DynamoDB';
  }

  private failed(what: string, error: Error): void {
    this.logger?.error(`DynamoDB: ${what} failed: ${error.message}`);
  }

  private async allReadable(kind: Kind): Promise<interfaces.KeyedItem<string, Descriptor>[]> {
    const items: interfaces.KeyedItem<string, Descriptor>[] = [];
    let tried = 0;
    for (const [key, stored] of await this.store.all(kind.namespace)) {
      if (++tried % ITEMS_A_TURN === 0) await nextTurn();
      const item = this.readable(kind, key, stored);
      if (item) items.push({ key, item });
    }
    return items;
  }

  /**
   * What the wrapper takes of a row; undefined, and a report, where the SDK could not use it. One such row would make
   * the wrapper fail for all, or pass for a deletion without a word.
   */
  private readable(kind: Kind, key: string, stored: Item): Descriptor | undefined {
    if (stored.deleted || stored.item === undefined) return tombstone(key, stored);
    const { version, item: serializedItem } = stored;
    let reason = 'it could not evaluate it';
    try {
      const model: unknown = kind.deserialize(serializedItem)?.item;
      if (model === undefined) reason = 'no JSON object';
      else if (isEvaluable(kind.namespace, model)) {
        // What is nested too deeply for that fails the application where it writes all flags out.
        if (serializedItem.length > HARMLESS_LENGTH) JSON.stringify(model);
        return { version, deleted: false, serializedItem };
      }
    } catch (error) {
      // The message of the error may quote the payload.
      reason = error instanceof Error ? error.constructor.name : kindOf(error);
    }
    this.report(kind, key, version, reason);
    return undefined;
  }

  /** Says that a row is left out, unless it was said of this version of it. */
  private report(kind: Kind, key: string, version: number, reason: string): void {
    const row = JSON.stringify([kind.namespace, key, version]);
    if (this.reported.has(row)) return;
    if (this.reported.size >= REPORTS_REMEMBERED) this.reported.clear();
    this.reported.add(row);
    this.logger?.warn(
      `DynamoDB: the item ${quoted(key)} in "${kind.namespace}" is left out: the SDK cannot read its version ${version} ` +
        `(${reason}); write it again with a newer version, or delete the row`,
    );
  }
}

function newItem({ version, deleted, serializedItem }: Descriptor): NewItem {
  return { version, deleted, item: deleted ? undefined : serializedItem };
}

/** A deleted item gets a payload too: without one the wrapper goes on serving what it has cached. */
function tombstone(key: string, { version }: Item): Descriptor {
  return { version, deleted: true, serializedItem: JSON.stringify({ key, version, deleted: true }) };
}

class BigSegmentStore implements interfaces.BigSegmentStore {
  constructor(private readonly store: FlagStore) {}

  async getMetadata(): Promise<interfaces.BigSegmentStoreMetadata> {
    const lastUpToDate = await this.store.bigSegmentsMetadata();
    return lastUpToDate === undefined ? {} : { lastUpToDate };
  }

  getUserMembership(userHash: string): Promise<interfaces.BigSegmentStoreMembership | undefined> {
    return this.store.bigSegmentsMembership(userHash);
  }

  close(): void {
    this.store.close();
  }
}
