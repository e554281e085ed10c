// May the admin API be opened where it shall listen? Where others than this machine reach it, only
// if somebody can prove who he is.

import { epochMs } from '../../base/clock.ts';
import { isLocal, printAddress } from '../../config/values/address.ts';
import type { Config } from '../../config/config.ts';
import { StartError } from '../base/problems.ts';
import type { Tokens } from './tokens.ts';

/** Throws StartError where nobody could come in, and says how to make a token. */
export function checkDoor({ admin, state }: Pick<Config, 'admin' | 'state'>, tokens: Tokens): void {
  const { listen, tls } = admin;
  if (isLocal(listen) || tls?.clientCa !== undefined || tokens.hasGood(epochMs())) return;
  throw new StartError(
    `the admin API shall listen on ${printAddress(listen)}, where others reach it, and there is no ` +
      `token yet: make one first with \`turnout token create NAME --role admin --state ${state.dir}\`, ` +
      'or set admin.tls.clientCa and admin.tls.clients, or listen on 127.0.0.1',
  );
}
