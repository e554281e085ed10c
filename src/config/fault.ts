// A fault of the configuration and where it is, as people and scripts read it.

import { unreachable } from '../base/assert.ts';
import { visibleText } from '../base/visible-text.ts';

export type Where =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string }
  /** No single place: something is missing, and there is no file to point into. */
  | { readonly kind: 'nowhere' };

export interface Fault {
  readonly where: Where;
  /** `services[0].health.timeout`; empty where it is not about one setting. */
  readonly path: string;
  /** What was expected and what came, without a final period and without secrets. */
  readonly message: string;
}

/** Returns `fault` on one line: place, setting, what is wrong. Names in it may come from a file. */
export function printFault(fault: Fault): string {
  return visibleText(faultText(fault));
}

function faultText(fault: Fault): string {
  const { where, path } = fault;
  const rest = path === '' ? fault.message : `${path}: ${fault.message}`;
  switch (where.kind) {
    case 'file':
      return `${where.file}:${where.line}:${where.column}: ${rest}`;
    case 'variable':
      return `${where.name}: ${fault.message}`;
    case 'flag':
      return `--${where.name}: ${fault.message}`;
    case 'nowhere':
      return fault.message;
    default:
      return unreachable(where);
  }
}

/** Returns `path` as a person writes it: `services[0].blue.targets[1]`. */
export function printPath(path: readonly (string | number)[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}
