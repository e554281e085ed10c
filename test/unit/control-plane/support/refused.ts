// Who refuses in a test, and by which code something was refused.

import { OperatorError } from '../../../../src/control-plane/base/problems.ts';
import { notReady, type board } from './board.ts';

/** Returns the code that refuses something; `none`: nothing does. */
export async function refusalOf(doing: Promise<unknown>): Promise<string> {
  try {
    await doing;
  } catch (error) {
    if (error instanceof OperatorError) return error.code;
    throw error;
  }
  return 'none';
}

export const REFUSING = ['workers', 'store'] as const;

/** Makes workers refuse each table from now on, or the store each change. */
export function refuse(
  who: (typeof REFUSING)[number],
  { workers, store }: Pick<ReturnType<typeof board>, 'workers' | 'store'>,
): void {
  if (who === 'workers') {
    workers.onPrepare = async () => {
      throw notReady();
    };
    return;
  }
  store.onCommit = () => {
    throw new Error('disk full');
  };
}
