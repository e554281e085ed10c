// Which clients get a page: those that ask for HTML by name.

import t from 'tap';
import { acceptsHtml } from '../../../../src/http/heads/accept.ts';
import { requestWith } from '../../../support/heads.ts';

const CASES: readonly (readonly [fields: readonly string[], isPage: boolean])[] = [
  [['Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8'], true],
  [['accept:TEXT/HTML'], true],
  [['Accept: application/json', 'Accept: text/html'], true],
  [[], false],
  [['Accept: */*'], false],
  [['Accept: application/json, text/plain'], false],
  [['Accept: text/*'], false],
  [['Accept-Language: text/html'], false],
  [['X-Accept: text/html', 'Content-Type: text/html'], false],
];

await t.test('acceptsHtml is true for browsers and false for programs', async (t) => {
  for (const [fields, isPage] of CASES) {
    t.equal(acceptsHtml(requestWith(fields)), isPage, fields.join(' · '));
  }
});
