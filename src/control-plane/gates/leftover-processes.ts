// Programs that a Turnout before this one has started and could not end, because it was killed itself.
// They are known by their environment, which only the same user can read.

import { readdir, readFile } from 'node:fs/promises';

/** Ends all processes whose environment has `name=value`. Does nothing where there is no /proc. */
export async function endLeftovers(name: string, value: string): Promise<void> {
  const found = await readdir('/proc').catch((): string[] => []);
  const wanted = `\0${name}=${value}\0`;
  for (const entry of found) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    // Not ours to read, or gone meanwhile.
    const environment = await readFile(`/proc/${entry}/environ`, 'latin1').catch(() => '');
    if (!`\0${environment}\0`.includes(wanted)) continue;
    try {
      process.kill(Number(entry), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}
