// `turnout config check FILE`: says all that is wrong with a file, and starts nothing.

import { visibleText } from '../../base/visible-text.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { loadLocalConfig, printFaults } from '../steps/local-config.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

/** Checks the file alone: what flags and variables of this shell say is left out. */
export function configCheck(
  terminal: Terminal,
  { file, json }: { readonly file: string; readonly json: boolean },
): ExitCode {
  const loaded = loadLocalConfig({}, { file, flags: {} });
  if (!loaded.ok) {
    printFaults(terminal, { ...loaded, json, where: file });
    return EXIT.usage;
  }
  const { config, warnings } = loaded;
  if (json) {
    terminal.out(jsonText({ ok: true, faults: [], warnings }));
    return EXIT.done;
  }
  for (const warning of warnings) terminal.err(`warning: ${visibleText(warning)}`);
  const names = config.services.map(({ name }) => name).join(', ');
  terminal.out(`${file}: no fault (services: ${names})`);
  return EXIT.done;
}
