// The version of this program, as its manifest says.

import { readFileSync } from 'node:fs';

export const VERSION = readVersion();

function readVersion(): string {
  const path = new URL('../../package.json', import.meta.url);
  const manifest: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const holds = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return holds ? String(manifest.version) : 'unknown';
}
