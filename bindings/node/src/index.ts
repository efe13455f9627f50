/**
 * The LaunchDarkly DynamoDB feature store, through `libflagstore`.
 *
 * For the LaunchDarkly SDK, change one import:
 * `import { DynamoDBFeatureStore } from 'flagstore/launchdarkly'`. Without it, use {@link FlagStore}.
 */

export { type CodeName, FlagStoreError, LibraryError } from './errors.js';
export { type Item, libraryPath, libraryVersion } from './native.js';
export type { FlagStoreOptions, Logger } from './options.js';
export {
  type ByKey,
  type CallOptions,
  type Event,
  FlagStore,
  type Level,
  type NewItem,
  type UpsertResult,
} from './store.js';
export type { Finding, InitReport, Reason, Report, Statistics } from './reports.js';
