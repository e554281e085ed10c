// Whether the admin API may be opened where it shall listen: where other machines reach it, only if
// there are credentials that a caller can prove.

import { epochMs } from '../../base/clock.ts';
import { printAddress } from '../../contract/worker-settings.ts';
import { isLocal } from '../../config/values/address.ts';
import type { Config } from '../../config/config.ts';
import { StartError } from '../base/problems.ts';
import type { Tokens } from './tokens.ts';

/** Throws StartError where no caller could be let in, and says how to make a token. */
export function checkExposure(
  { admin, state }: Pick<Config, 'admin' | 'state'>,
  tokens: Tokens,
): void {
  const { listen, tls } = admin;
  if (isLocal(listen) || tls?.clientCa !== undefined || tokens.hasGood(epochMs())) return;
  throw new StartError(
    `the admin API shall listen on ${printAddress(listen)}, where others reach it, and there is no ` +
      `token yet: make one first with \`turnout token create NAME --role admin --state ${state.dir}\`, ` +
      'or set admin.tls.clientCa and admin.tls.clients, or listen on 127.0.0.1',
  );
}
