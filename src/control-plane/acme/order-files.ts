// The files of the operator that an order needs: the authorities that the server of the directory is checked
// against, and the key that binds the account to one there. Knows no order.

import { readFileSync, statSync } from 'node:fs';
import { codeOf, messageOf } from '../base/problems.ts';
import { readSecrets } from '../base/secret-file.ts';
import type { AcmeSettings, ExternalAccount } from './acme-types.ts';
import type { AccountBinding } from './order-messages.ts';

type FileSettings = Pick<AcmeSettings, 'caFile' | 'externalAccount'>;

/**
 * Returns what is wrong with the files that orders need, in the words of an order that fails by it. They
 * are read for each order alone, and the first one may be weeks away.
 */
export function orderFileFaults({ caFile, externalAccount }: FileSettings): string[] {
  const faults: string[] = [];
  const look = (read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      faults.push(messageOf(error));
    }
  };
  if (caFile !== undefined) look(() => readAuthorities(caFile));
  if (externalAccount !== undefined) look(() => readBinding(externalAccount));
  return faults;
}

/** Throws an error with one line for the operator. */
export function readAuthorities(caFile: string): string {
  const text = readText(caFile);
  if (text !== undefined && CERTIFICATE.test(text)) return text;
  const what = text === undefined ? 'is no regular file' : 'holds no certificate';
  throw new Error(`${caFile} ${what}: see acme.caFile`);
}

const CERTIFICATE = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;

/** Undefined: it is a pipe or the like, which could let this process wait for ever. */
function readText(caFile: string): string | undefined {
  try {
    return statSync(caFile).isFile() ? readFileSync(caFile, 'utf8') : undefined;
  } catch (error) {
    const reason =
      codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(error)}`;
    throw new Error(`${caFile} ${reason}: see acme.caFile`, { cause: error });
  }
}

/** Throws an error with one line for the operator, which holds nothing of the key. */
export function readBinding({ keyId, hmacKeyFile }: ExternalAccount): AccountBinding {
  try {
    return { keyId, hmacKey: readSecrets(hmacKeyFile)[0]!.toString('latin1') };
  } catch (error) {
    const problem = codeOf(error) === 'ENOENT' ? `${hmacKeyFile} does not exist` : messageOf(error);
    throw new Error(`${problem}: see acme.eab.hmacKeyFile`, { cause: error });
  }
}
