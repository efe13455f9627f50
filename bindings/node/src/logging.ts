/** How things are said to a logger that may be anything. */

import { kindOf, type Logger } from './options.js';

/** A logger whose failures stay its own: what a call did is done, whatever the logger makes of the news. */
export function harmless(logger: Logger | null | undefined): Logger | undefined {
  if (logger === undefined || logger === null) return undefined;
  const at =
    (level: keyof Logger) =>
    (message: string): void => {
      try {
        // One that writes elsewhere may fail later, and nobody else waits for it.
        Promise.resolve<unknown>(logger[level](message)).catch(() => {});
      } catch {
        // It has no such method, or throws.
      }
    };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}

/** A key out of a table, in quotes, so that it neither ends the line nor moves the cursor. Flags can name any thing. */
export function quoted(key: unknown): string {
  if (typeof key !== 'string') return kindOf(key);
  return JSON.stringify(key).replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    character => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
