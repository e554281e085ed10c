// What is wrong, as one line for a person. Loads nothing: checks that run all the time use it.

import { visibleText } from '../../base/visible-text.ts';

/** Returns an alarm as one line: what, and what to do about it. */
export function alarmText({
  service,
  text,
  command,
}: {
  readonly service?: string | null | undefined;
  readonly text?: string | undefined;
  readonly command?: string | null | undefined;
}): string {
  const name = typeof service === 'string' && service !== '' ? `${visibleText(service)}: ` : '';
  const next = typeof command === 'string' && command !== '' ? `: \`${visibleText(command)}\`` : '';
  return `${name}${visibleText(text ?? '')}${next}`;
}
