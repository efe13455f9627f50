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
  /** The file at the path, or for undefined what is linked in. */
  use(path: string | undefined): void;
  linked(): boolean;
  version(): string;
  codeName(code: number): CodeName | 'STORE_UNKNOWN';
  open(options: string): bigint | Failure;
  close(store: bigint): void;
  /** The number of the call that was made last, to cancel it by. */
  lastCall(): number;
  /** Nothing for a call that has ended. */
  cancel(call: number): void;
  /** The payload of what the cache has; `cached` then has the code (4: it has nothing), the version and the flags, 1 for deleted
   * and 2 for stale. */
  getCached(store: bigint, kind: string, key: string): string | undefined;
  readonly cached: Float64Array;
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
  /** A part of a text that is the data set in JSON. */
  dataSetJson(data: DataSet, part: string): void;
  init(store: bigint, data: DataSet): Answer<{ report: string }>;
  available(store: bigint): Answer<object>;
  bigSegmentsMetadata(store: bigint): Answer<{ synchronizedOn: number }>;
  bigSegmentsMembership(store: bigint, hash: string): Answer<{ segments: Record<string, boolean> }>;
  statistics(store: bigint): string | Failure;
  /** Takes options as `open` does. */
  doctor(options: string): Answer<{ text: string }>;
  clearCache(store: bigint): Failure | undefined;
  nextEvent(store: bigint): { code: 0; level: number; text: string } | Failure | undefined;
}

const VARIABLE = 'FLAGSTORE_LIBRARY';
const INSTALLED = `libflagstore${{ darwin: '.1.dylib', win32: '.dll' }[process.platform as string] ?? '.so.1'}`;
/** Where ./build in a checkout puts the native part. An ES module that a bundler made has no `__dirname`. */
const BUILT =
  typeof __dirname === 'string' ? join(__dirname, '..', '..', 'lib', 'flagstore.node') : undefined;

let loaded: Native | undefined;
let loadedFrom: string | undefined;

/**
 * The native part with the library, loaded at the first use and kept.
 *
 * The library is the file that `FLAGSTORE_LIBRARY` names, else the one inside of the native part. All threads of a process
 * use the one that was used first.
 *
 * @throws {LibraryError} it is not there, cannot be loaded, or has another ABI
 */
export function native(): Native {
  if (loaded === undefined) {
    // What was asked for and is not there is told first, whatever else is wrong.
    const named = namedLibrary();
    const [addon, path] = loadAddon();
    if (named !== undefined) use(addon, named);
    else if (addon.linked()) use(addon, undefined);
    else useInstalled(addon, path);
    loadedFrom = named ?? (addon.linked() ? path : INSTALLED);
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
export function errorOf(
  failure: Outcome,
  more?: ConstructorParameters<typeof FlagStoreError>[4],
): FlagStoreError {
  const { code, message, retriable } = failure as Failure;
  const text = message || 'no thread could be started for the call: raise the limit on processes';
  return new FlagStoreError(native().codeName(code), text, retriable, code, more);
}

/** What loading a native part came to. */
type Attempt = { readonly addon: Native } | { readonly error: unknown };

// One package a platform, of which npm installs the right one. Each is required by its name in the open, so that a bundler
// copies the native part, or says at once that it cannot; `try` around each, so that it does without the others.
/* eslint-disable @typescript-eslint/no-require-imports */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, () => Attempt>>>> = {
  'linux-x64': {
    '@flagstore/linux-x64-gnu'() {
      try {
        return { addon: require('@flagstore/linux-x64-gnu') as Native };
      } catch (error) {
        return { error };
      }
    },
    '@flagstore/linux-x64-musl'() {
      try {
        return { addon: require('@flagstore/linux-x64-musl') as Native };
      } catch (error) {
        return { error };
      }
    },
  },
  'linux-arm64': {
    '@flagstore/linux-arm64-gnu'() {
      try {
        return { addon: require('@flagstore/linux-arm64-gnu') as Native };
      } catch (error) {
        return { error };
      }
    },
    '@flagstore/linux-arm64-musl'() {
      try {
        return { addon: require('@flagstore/linux-arm64-musl') as Native };
      } catch (error) {
        return { error };
      }
    },
  },
  'darwin-arm64': {
    '@flagstore/darwin-arm64'() {
      try {
        return { addon: require('@flagstore/darwin-arm64') as Native };
      } catch (error) {
        return { error };
      }
    },
  },
  'darwin-x64': {
    '@flagstore/darwin-x64'() {
      try {
        return { addon: require('@flagstore/darwin-x64') as Native };
      } catch (error) {
        return { error };
      }
    },
  },
  'win32-x64': {
    '@flagstore/win32-x64'() {
      try {
        return { addon: require('@flagstore/win32-x64') as Native };
      } catch (error) {
        return { error };
      }
    },
  },
};

/** The native part, and where it is: a file, or a package that a bundler may have put elsewhere. */
function loadAddon(): [Native, string] {
  // In a checkout alone. Not by `require`, which bundlers would follow.
  if (BUILT !== undefined && existsSync(BUILT)) return [loadFile(BUILT), BUILT];
  const platform = `${process.platform}-${process.arch}`;
  const packages = Object.entries(PACKAGES[platform] ?? {});
  const failures: string[] = [];
  for (const [name, load] of packages) {
    const attempt = load();
    if ('addon' in attempt) return [attempt.addon, resolved(name)];
    if (!isMissing(attempt.error, name)) failures.push(`${name} cannot be loaded: ${reason(attempt.error)}`);
  }
  if (failures.length > 0)
    throw new LibraryError(`${failures.join('; ')}: install the package for ${platform}`);
  const names = packages.map(([name]) => name).join(' or ');
  const remedy =
    packages.length > 0
      ? `${names} is not installed: install flagstore on this platform, with its optional dependencies, or bundle it there`
      : 'there is no package for it: compile the native part in a checkout';
  throw new LibraryError(`the native part of flagstore for ${platform} is not there: ${remedy}`);
}

function loadFile(path: string): Native {
  const addon = { exports: {} };
  try {
    process.dlopen(addon, path);
  } catch (error) {
    throw new LibraryError(`${path} cannot be loaded: run ./build once more: ${reason(error)}`);
  }
  return addon.exports as Native;
}

function resolved(name: string): string {
  try {
    return require.resolve(name);
  } catch {
    return name;
  }
}

/** Whether a package is merely not installed, rather than there and of no use. */
function isMissing(error: unknown, name: string): boolean {
  return (error as NodeJS.ErrnoException | null)?.code === 'MODULE_NOT_FOUND' && reason(error).includes(name);
}

function namedLibrary(): string | undefined {
  const named = process.env[VARIABLE];
  if (!named) return undefined;
  const path = resolve(named);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new LibraryError(`${VARIABLE} is '${named}', and there is no such file: correct it or unset it`);
  }
  return path;
}

function useInstalled(addon: Native, path: string): void {
  try {
    use(addon, INSTALLED);
  } catch (error) {
    throw new LibraryError(
      `libflagstore was not found: ${VARIABLE} is not set, ${path} was built without it, and of the system's: ${reason(error)}`,
    );
  }
}

function use(addon: Native, path: string | undefined): void {
  try {
    addon.use(path);
  } catch (error) {
    throw new LibraryError(`${path ?? 'the native part'} cannot be used as libflagstore: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
