// The operator's own pages for browsers. A setting names the file; it is read with the configuration and
// again with each reload, so that the workers get text and read nothing.

import type { Issue } from './settings/relations/draft.ts';
import type { Checked, Values } from './settings/schema/schema.ts';
import { readText } from './read-text.ts';

/** As much as a page of `maintenance.page` may have. */
const PAGE_CHARS_MAX = 65_536;

/** Returns `checked` with the text of each page in place of the name of its file. */
export function withErrorPages(checked: Checked): Checked {
  if (!checked.ok) return checked;
  const issues: Issue[] = [];
  const services = checked.values.services.map((service, index): Values['services'][number] => {
    const textOf = (file: string, ...name: readonly string[]): string => {
      if (file === '') return '';
      const read = readText(file);
      const problem = read.ok ? problemOf(read.value, file) : read.problem;
      if (read.ok && problem === undefined) return read.value;
      const path = ['services', index, 'errors', ...name];
      issues.push({ path, message: problem ?? '', at: 'value' });
      return '';
    };
    const { page, pages } = service.errors;
    const texts = {
      502: textOf(pages[502], 'pages', '502'),
      503: textOf(pages[503], 'pages', '503'),
      504: textOf(pages[504], 'pages', '504'),
    };
    return { ...service, errors: { page: textOf(page, 'page'), pages: texts } };
  });
  if (issues.length > 0) return { ok: false, issues };
  return { ok: true, values: { ...checked.values, services } };
}

function problemOf(text: string, file: string): string | undefined {
  if (text.trim() === '') return `expected a page, got nothing in ${file}`;
  if (text.length <= PAGE_CHARS_MAX) return undefined;
  return `expected at most ${PAGE_CHARS_MAX} characters, got ${text.length} in ${file}`;
}
