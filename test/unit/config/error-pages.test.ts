// The file of a page: read with the configuration, and checked like a line of it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { differences } from '../../../src/config/differences.ts';
import { loadText } from '../../../src/config/load.ts';

const machine = { platform: 'linux', cpus: 1, descriptors: Infinity };

function load(page: string) {
  const service = `  - { name: shop, blue: { targets: ["http://127.0.0.1:9"] }, errors: { page: "${page}" } }`;
  return loadText('turnout.yaml', `services:\n${service}\n`, {
    environment: {},
    flags: {},
    machine,
  });
}

/** Returns a file whose service has `pages`. */
function withPages(pages: string): string {
  return `services: [{ blue: { targets: ["http://127.0.0.1:9"] }, errors: { pages: ${pages} } }]\n`;
}

await t.test('the workers get the text, each time that it is loaded', async (t) => {
  const file = join(t.testdir(), 'error.html');
  writeFileSync(file, '<p>one</p>');
  const first = load(file);
  t.match(first, {
    ok: true,
    config: { services: [{ policy: { errors: { page: '<p>one</p>' } } }] },
  });
  writeFileSync(file, '<p>two</p>');
  const second = load(file);
  t.match(second, { config: { services: [{ policy: { errors: { page: '<p>two</p>' } } }] } });
  if (!first.ok || !second.ok) return;
  const [difference] = differences(first.said, second.said);
  t.match(difference, { setting: 'services.shop.errors.page', from: file, to: file });
});

await t.test('a file that is no page is a fault of its line', async (t) => {
  const dir = t.testdir({ empty: ' \n', long: 'a'.repeat(65_537), most: 'a'.repeat(65_536) });
  writeFileSync(join(dir, 'bytes'), Buffer.of(0xff, 0xfe));
  const faults: Readonly<Record<string, RegExp>> = {
    missing: /ENOENT/,
    empty: /expected a page, got nothing/,
    long: /expected at most 65536 characters, got 65537/,
    bytes: /UTF-8/,
    '.': /EISDIR/,
  };
  for (const [name, message] of Object.entries(faults)) {
    const where = { kind: 'file', line: 2 };
    const path = 'services[0].errors.page';
    t.match(load(join(dir, name)), { ok: false, faults: [{ where, path, message }] }, name);
  }
  t.ok(load(join(dir, 'most')).ok);
});

await t.test('each status may have a page of its own', async (t) => {
  const dir = t.testdir({ '502.html': '<p>502</p>', '503.html': '<p>503</p>' });
  const [bad, busy] = [join(dir, '502.html'), join(dir, '503.html')];
  const sources = { environment: {}, flags: {}, machine };
  t.match(loadText('turnout.yaml', withPages(`{ 502: ${bad}, "503": ${busy} }`), sources), {
    config: {
      services: [
        {
          policy: {
            errors: { page: '', pages: { 502: '<p>502</p>', 503: '<p>503</p>', 504: '' } },
          },
        },
      ],
    },
  });
  t.match(loadText('turnout.yaml', withPages(`{ 504: ${join(dir, '504.html')} }`), sources), {
    ok: false,
    faults: [{ path: 'services[0].errors.pages.504', message: /ENOENT/ }],
  });
});
