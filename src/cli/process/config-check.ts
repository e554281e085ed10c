// `turnout config check FILE`: says all that is wrong with a file, and starts nothing.

import { visibleText } from '../../base/visible-text.ts';
import type { Config } from '../../config/config.ts';
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
  if (namesCertificates(config)) terminal.out(NOT_READ);
  return EXIT.done;
}

/** They may not be there: a pipeline checks a file on another machine than it is for. */
const NOT_READ =
  'certificates and keys that it names were not read: a start and `turnout reload --dry-run` do that';

function namesCertificates({ tls, upstreamTls, acme, admin }: Config): boolean {
  return (
    tls.some(({ certificates, clientCa }) => certificates.length > 0 || clientCa !== undefined) ||
    upstreamTls.some(({ ca, pair }) => ca !== undefined || pair !== undefined) ||
    acme?.caFile !== undefined ||
    admin.tls !== undefined
  );
}
