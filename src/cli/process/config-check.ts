// `turnout config check FILE`: says all that is wrong with a file and with the certificates that it names,
// and starts nothing.

import { visibleText } from '../../base/visible-text.ts';
import { orderFileFaults } from '../../control-plane/acme/order-files.ts';
import { checkCertificateFiles } from '../../control-plane/certificates/check-files.ts';
import { EXIT, type ExitCode } from '../client/exit.ts';
import { faultNowhere, loadLocalConfig, printFaults } from '../steps/local-config.ts';
import { jsonText, type Terminal } from '../terminal/print.ts';

/** Checks the file alone: what flags and variables of this shell say is left out. */
export async function configCheck(
  terminal: Terminal,
  { file, json }: { readonly file: string; readonly json: boolean },
): Promise<ExitCode> {
  const loaded = loadLocalConfig({}, { file, flags: {} });
  if (!loaded.ok) {
    printFaults(terminal, { ...loaded, json, where: file });
    return EXIT.usage;
  }
  const { config } = loaded;
  const checked = await checkCertificateFiles(config);
  const { externalAccount } = config.acme ?? {};
  // What `acme.caFile` holds is among the certificates.
  const ofOrders = orderFileFaults({ caFile: undefined, externalAccount });
  const warnings = [...loaded.warnings, ...checked.warnings, ...ofOrders];
  if (checked.faults.length > 0) {
    const faults = checked.faults.map(faultNowhere);
    printFaults(terminal, { faults, warnings, json, where: file });
    return EXIT.usage;
  }
  if (json) {
    terminal.out(jsonText({ ok: true, faults: [], warnings }));
    return EXIT.done;
  }
  for (const warning of warnings) terminal.err(`warning: ${visibleText(warning)}`);
  const names = config.services.map(({ name }) => name).join(', ');
  terminal.out(`${file}: no fault (services: ${names})`);
  return EXIT.done;
}
