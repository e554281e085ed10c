// The rows of what Turnout itself calls: addresses, programs, and the files that prove who calls. Programs
// and secrets are named in the file and nowhere else: no flag, no variable and no call of the API can.

import { accept, refuse, type Parsed } from '../../../base/parsed.ts';
import { parseHttpUrl } from '../../values/http-url.ts';
import { matching, optional, required, text } from './row.ts';

const PATH = { charsMax: 1_024, expected: 'a path of at most 1024 characters' } as const;

interface FileWords {
  readonly doc: string;
  readonly why: string;
  readonly isCommon?: boolean;
}

/** Returns the row of a file that is named by its path; left out: none. */
export function fileRow(words: FileWords) {
  return optional(pathRow(words), 'none');
}

/** Returns the row of a file that must be named. */
export function requiredFileRow(words: FileWords) {
  return required(pathRow(words));
}

function pathRow(words: FileWords) {
  const parse = matching(/^[^\0]+$/, PATH);
  return text({ ...words, fallback: '', allowed: PATH.expected, parse });
}

export const SECRET_FILE = fileRow({
  doc: 'File with the secret; read at each use, so a new one counts at once.',
  why: 'a secret in the configuration would be in every copy of it',
});

export const CA_FILE = fileRow({
  doc: 'File with further authorities (PEM) that may have signed the certificate.',
  why: 'those of the system are enough for public names',
});

const url = text({
  fallback: '',
  allowed: 'an http: or https: URL of at most 2048 characters, without user and fragment',
  parse: parseHttpUrl,
  isSecret: true,
  doc: 'Where it is sent.',
  why: 'there is none that fits all',
});

export const URL_ROW = required(url);
export const OPTIONAL_URL = optional(url, 'none');

/** Returns one word of a command: no shell reads it. */
function parseArgument(raw: unknown): Parsed<string> {
  const expected = 'a text of at most 4096 characters';
  if (typeof raw === 'number') return refuse(expected, raw, 'put it in quotes');
  const fits = typeof raw === 'string' && raw.length <= 4_096 && !raw.includes('\0');
  return fits ? accept(raw) : refuse(expected, raw);
}

export const ARGUMENTS = {
  noun: 'arguments',
  countMax: 64,
  allowed: 'a program and its arguments, at most 4096 characters each',
  parse: parseArgument,
  isSecret: true,
} as const;
