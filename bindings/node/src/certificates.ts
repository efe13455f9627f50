/** The certificates that Node.js trusts besides its own: those of the file that NODE_EXTRA_CA_CERTS names. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { FlagStoreOptions } from './options.js';

// As Node.js itself has it from its start: what the program makes of the variable later changes nothing.
const FILE = process.env['NODE_EXTRA_CA_CERTS'] || undefined;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

let text: string | undefined;

/** The options with these certificates, unless there are some already: what a program names itself it means. */
export function withExtraCertificates(options: FlagStoreOptions): FlagStoreOptions {
  if (!decides(options)) return options;
  const extraCaBundle = extraCertificates();
  return extraCaBundle === '' ? options : { ...options, extraCaBundle };
}

/** The file, if it should count and has nothing; Node.js warns of that too, on its standard error. */
export function unusableExtraFile(options: FlagStoreOptions): string | undefined {
  return decides(options) && extraCertificates() === '' ? FILE : undefined;
}

function decides(options: FlagStoreOptions): boolean {
  return FILE !== undefined && options.caBundle === undefined && options.extraCaBundle === undefined;
}

/** In PEM form, and nothing else; empty if there are none. */
function extraCertificates(): string {
  return (text ??= (ofNode() ?? ofFile(FILE!)).join('\n'));
}

/** From Node.js 22.15, which tells what it has read. */
function ofNode(): string[] | undefined {
  // Not needed otherwise, and slow to load.
  const tls = require('node:tls') as { getCACertificates?: (type: 'extra') => string[] };
  return tls.getCACertificates?.('extra');
}

/** As Node.js reads it: up to the first certificate that is damaged. */
function ofFile(path: string): string[] {
  try {
    const certificates = readFileSync(path, 'latin1').match(CERTIFICATE) ?? [];
    const damaged = certificates.findIndex(certificate => !isWhole(certificate));
    return damaged < 0 ? certificates : certificates.slice(0, damaged);
  } catch {
    return [];
  }
}

function isWhole(certificate: string): boolean {
  try {
    new X509Certificate(certificate);
    return true;
  } catch {
    return false;
  }
}
