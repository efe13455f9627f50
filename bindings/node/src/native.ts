/** The functions of the native part, which native/addon.c implements, and what brings them into the process. */

import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { type CodeName, FlagStoreError, LibraryError } from './errors.js';

/** A number below 0 is an error, one above 0 an outcome of its own. */
export interface Outcome {
  readonly code: number;
}

export interface Failure extends Outcome {
  readonly message: string;
  readonly retriable: boolean;
}

/** A flag, segment or other item as it is stored, without its key. */
export interface Item {
  /** Decides which of two writes wins: 0 or more. */
  readonly version: number;
  /** The payload, exactly as it was stored; undefined for a deleted item. */
  readonly item: string | undefined;
  /** Whether the item was deleted. */
  readonly deleted: boolean;
  /** Whether it comes from the cache beyond its time to live because reading it failed. */
  readonly stale: boolean;
}

type Answered<Members> = Outcome & Partial<Members>;
type Answer<Members> = Promise<Answered<Members>>;
type List = { readonly list: unique symbol };
type DataSet = { readonly dataSet: unique symbol };

export interface Native {
  load(path: string): void;
  version(): string;
  codeName(code: number): CodeName | 'STORE_UNKNOWN';
  open(options: string): bigint | Failure;
  close(store: bigint): void;
  /** No promise of what the cache has: it is answered at once. */
  get(store: bigint, kind: string, key: string): Answered<{ item: Item }> | Answer<{ item: Item }>;
  getAll(store: bigint, kind: string): Answer<{ list: List; count: number }>;
  /** Five values an item: key, version, item, deleted, stale. The part that reaches the end is the last to be had. */
  items(list: List, from: number, count: number): unknown[];
  upsert(
    store: bigint,
    kind: string,
    key: string,
    version: number,
    deleted: boolean,
    item: string | undefined,
  ): Answer<{ item: Item }>;
  initialized(store: bigint): Answer<{ initialized: boolean }>;
  dataSet(): DataSet;
  dataSetKind(data: DataSet, kind: string): void;
  /** Four values an item: key, version, item, deleted. */
  dataSetAdd(data: DataSet, rows: unknown[]): void;
  init(store: bigint, data: DataSet): Answer<{ report: string }>;
  initJson(store: bigint, json: string): Answer<{ report: string }>;
  available(store: bigint): Answer<object>;
  bigSegmentsMetadata(store: bigint): Answer<{ synchronizedOn: number }>;
  bigSegmentsMembership(store: bigint, hash: string): Answer<{ segments: Record<string, boolean> }>;
  statistics(store: bigint): string | Failure;
  clearCache(store: bigint): Failure | undefined;
  nextEvent(store: bigint): { code: 0; level: number; text: string } | Failure | undefined;
}

const VARIABLE = 'FLAGSTORE_LIBRARY';
const INSTALLED = 'libflagstore.so.1';
const FOLDER = join(__dirname, '..', '..', 'lib');

let loaded: Native | undefined;
let loadedFrom: string | undefined;

/**
 * The native part with the library, loaded at the first use and kept.
 *
 * The library is looked for in this order: the file that `FLAGSTORE_LIBRARY` names, the copy inside this package, the
 * system. The first one that is there is taken; if it cannot be used, the others are not tried. All threads of a
 * process use the one that was loaded first.
 *
 * @throws {LibraryError} it is not there, cannot be loaded, or has another ABI
 */
export function native(): Native {
  if (loaded === undefined) {
    const addon = loadAddon();
    loadedFrom = loadLibrary(addon);
    loaded = addon;
  }
  return loaded;
}

/** The file that the library was loaded from, or the name that the system knows it by. */
export function libraryPath(): string {
  native();
  return loadedFrom!;
}

/** The version of the loaded `libflagstore`, such as `"0.1.0"`. Throws a {@link LibraryError} if it cannot be loaded. */
export function libraryVersion(): string {
  return native().version();
}

/** The error that a failure of the native part stands for. */
export function errorOf(failure: Outcome): FlagStoreError {
  const { code, message, retriable } = failure as Failure;
  const text = message || 'no thread could be started for the call: raise the limit on processes';
  return new FlagStoreError(native().codeName(code), text, retriable, code);
}

function loadAddon(): Native {
  const path = join(FOLDER, 'flagstore.node');
  const platform = `${process.platform}-${process.arch}`;
  if (!existsSync(path)) {
    throw new LibraryError(
      `${path} is not there: install the package for ${platform}, or run ./build in a checkout`,
    );
  }
  try {
    return require(path) as Native;
  } catch (error) {
    throw new LibraryError(`${path} cannot be loaded: install the package for ${platform}: ${reason(error)}`);
  }
}

function loadLibrary(addon: Native): string {
  const named = process.env[VARIABLE];
  if (named) {
    const path = resolve(named);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
      throw new LibraryError(`${VARIABLE} is '${named}', and there is no such file: correct it or unset it`);
    }
    return use(addon, path);
  }
  const packaged = join(FOLDER, INSTALLED);
  if (existsSync(packaged)) {
    return use(addon, packaged);
  }
  try {
    return use(addon, INSTALLED);
  } catch (error) {
    throw new LibraryError(
      `libflagstore was not found: ${VARIABLE} is not set, ${packaged} is not there, and of the system's: ${reason(error)}`,
    );
  }
}

function use(addon: Native, path: string): string {
  try {
    addon.load(path);
    return path;
  } catch (error) {
    throw new LibraryError(`${path} cannot be used as libflagstore: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
