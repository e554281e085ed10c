// Tools from Debian's packages that some tests use. A test installs nothing: `.ci/tools` does.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Returns why a test that needs `tools` must be skipped, or false. In CI nothing is skipped: the
 * gate installs the tools first, so one that is missing there is a failure.
 */
export function skipWithout(...tools: string[]): string | false {
  if (process.env['CI'] === 'true') return false;
  const missing = tools.filter((tool) => !isInstalled(tool));
  return missing.length > 0 && `needs ${missing.join(', ')}: .ci/tools installs them`;
}

function isInstalled(tool: string): boolean {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false; // Not here; perhaps in the next one.
    }
  });
}
