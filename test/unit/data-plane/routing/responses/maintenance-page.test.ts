// The page that browsers get during maintenance.

import * as fc from 'fast-check';
import t from 'tap';
import { usualPage } from '../../../../../src/data-plane/routing/responses/maintenance-page.ts';

const BEFORE = '<h1>Back soon</h1><p>';

/** Returns what stands for the sentence in the source of the page. */
function sentenceIn(page: string): string {
  const start = page.indexOf(BEFORE) + BEFORE.length;
  return page.slice(start, page.lastIndexOf('</p></main>'));
}

function unescaped(html: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&amp;': '&',
    '&lt;': '<',
    '&gt;': '>',
    '&quot;': '"',
  };
  return html.replaceAll(/&[a-z]+;/g, (entity) => entities[entity]!);
}

await t.test('usualPage shows its sentence', async (t) => {
  t.equal(sentenceIn(usualPage('Back at 5 pm')), 'Back at 5 pm');
});

await t.test('usualPage lets no markup of its sentence through', async (t) => {
  t.equal(
    sentenceIn(usualPage('<script>alert("1 & 2")</script>')),
    '&lt;script&gt;alert(&quot;1 &amp; 2&quot;)&lt;/script&gt;',
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'&<>"\';amp#xlt '.split('')) }), (line) => {
      const shown = sentenceIn(usualPage(line));
      return !/[<>"]/.test(shown) && unescaped(shown) === line;
    }),
  );
});
