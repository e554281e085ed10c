// Files of an earlier release: which requests may be tried there, and which deployment is asked.

import { posix } from 'node:path';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import type { Service } from '../../../../src/contract/table.ts';
import { PathPatterns } from '../../../../src/data-plane/routing/paths/path-patterns.ts';
import { isRescuable } from '../../../../src/data-plane/routing/rescue.ts';
import { RUNS } from '../../../support/arbitrary-message.ts';
import {
  ACTIVE_SLOT,
  Deciding,
  drain,
  DRAINING_SLOTS,
  lockedOut,
  NOW_S,
  routes,
  shop,
} from '../../../support/deciding.ts';
import { requestWith } from '../../../support/heads.ts';

const PATTERNS = ['/assets/*', '/*.js', '/one.css'];
const service = new Deciding({ skew: { isOn: true, rescue: PATTERNS } }).table.services[0]!;

/** Tells whether a request that the active deployment got may be tried elsewhere. */
function mayBeTried(target: string, method = 'GET', fields: readonly string[] = []): boolean {
  const head = requestWith(fields, { method, target });
  return isRescuable(service, { deployment: service.active, method: head.method! }, head);
}

await t.test('a file that a pattern names may be tried on an earlier release', async (t) => {
  for (const target of [
    '/assets/app.1a2b.js',
    '/assets/',
    '/assets/deep/er/file',
    '/assets/app.js?v=1',
    '/assets/app.js?from=../../x',
    '/one.css',
    'http://shop.test/assets/a.js',
    '/assets/[id]-1a2b.js',
    '/assets/a%20b.js',
    '/assets/%C3%A9t%C3%A9.js',
    '/assets/a..b.js',
    '/assets/.vite/manifest.json',
    '/assets/@scope/a~1,b=c+d!.js',
  ]) {
    t.equal(mayBeTried(target), true, target);
    t.equal(mayBeTried(target, 'HEAD'), true, target);
  }
});

await t.test('nothing else may', async (t) => {
  for (const target of ['/', '/assets', '/other/a.css', '/one.css/', '/?/assets/a.js', '/a?b.js']) {
    t.equal(mayBeTried(target), false, target);
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    t.equal(mayBeTried('/assets/a.js', method), false, method);
  }
  t.equal(mayBeTried('/assets/a.js', 'GET', ['Content-Length: 1']), false, 'it has a body');
  const head = requestWith([], { target: '/assets/a.js' });
  for (const deployment of [service.idle, ...service.earlier.map((one) => one.deployment)]) {
    t.equal(
      isRescuable(service, { deployment, method: head.method! }, head),
      false,
      deployment.release,
    );
  }
  const without = new Deciding({ skew: { isOn: true } }).table.services[0]!;
  t.equal(isRescuable(without, { deployment: without.active, method: head.method! }, head), false);
});

await t.test('a path that an app may read as another one is not tried', async (t) => {
  for (const target of [
    '/assets/../debug',
    '/assets/%2e%2e/debug',
    '/assets/..%2fdebug',
    '/assets/..\\debug',
    '/assets/%252e%252e/debug',
    '/debug;a.js',
    '//evil.test/a.js',
    'http://shop.test/assets/../debug',
  ]) {
    t.equal(mayBeTried(target), false, target);
  }
});

/** Returns what an app reads that takes percent-encoding away; bytes that are no UTF-8 stay bytes. */
function decoded(path: string): string {
  const bytes = path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  // In two bytes what takes one: decoders that are too kind read it as that.
  return bytes.replaceAll(/[\u00c0\u00c1]([\u0080-\u00bf])/g, (two) =>
    String.fromCharCode(((two.charCodeAt(0) & 1) << 6) | (two.charCodeAt(1) & 63)),
  );
}

function withoutParameters(path: string): string {
  return path.replaceAll(/;[^/]*/g, '');
}

function cut(path: string): string {
  return path.split(/[?#\0]/)[0]!;
}

/** Blanks and dots at the end of a segment, as some file systems ignore them. */
function trimmed(path: string): string {
  return path.replaceAll(/([^/. ])[. ]+(?=\/|$)/g, '$1').replaceAll(/(\.\.?)[. ]+(?=\/|$)/g, '$1');
}

/** What an app may make of a path before it looks for a file; each is one that is in use. */
const READINGS: Readonly<Record<string, (path: string) => string>> = {
  'as a browser': (path) => new URL(`http://shop.test${path}`).pathname,
  'dots resolved': (path) => posix.normalize(path),
  'decoded first': (path) => posix.normalize(decoded(path)),
  'decoded by two, one behind the other': (path) => posix.normalize(decoded(decoded(path))),
  'backslashes as slashes': (path) => posix.normalize(decoded(path).replaceAll('\\', '/')),
  'without parameters': (path) => posix.normalize(decoded(withoutParameters(path))),
  'decoded, then without parameters': (path) => posix.normalize(withoutParameters(decoded(path))),
  'cut where another part begins': (path) => posix.normalize(cut(decoded(path))),
  'as a file name': (path) => posix.normalize(trimmed(cut(decoded(path)))),
};

const PIECE = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('a', 'debug', 'app.1a2b', '.js', '-', '[id]', '%20', '%C3%A9', '~'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('/', '/', '.', '..', '/../', '/./', '//', '\\', ';', '#', '%'),
  },
  fc.constantFrom('%2e', '%2E', '%252e', '%25', '%2f', '%2F', '%252F', '%5c', '%5C', '%3b', '%3B'),
  fc.constantFrom('%00', '%23', '%3f', '%3F', '%c0%ae', '%c0%af', '%C1%9C', '%0a', '%7f', '%e0%80'),
  fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)) }),
);
const PATH = fc
  .tuple(
    fc.constantFrom('/assets/', '/assets', '/', ''),
    fc.array(PIECE, { maxLength: 6 }).map((pieces) => pieces.join('')),
    fc.constantFrom('', '.js', '/a.js'),
  )
  .map((parts) => parts.join(''))
  .filter((path) => path.startsWith('/') && !path.includes('?'));

await t.test('no reading of a path that is tried leads out of the patterns', async (t) => {
  const patterns = new PathPatterns(PATTERNS);
  let tried = 0;
  let refused = 0;
  fc.assert(
    fc.property(PATH, (path) => {
      if (!isRequest(path) || !patterns.matches(path)) return;
      if (!mayBeTried(path)) {
        refused++;
        return;
      }
      tried++;
      for (const [name, read] of Object.entries(READINGS)) {
        assert.ok(patterns.matches(read(path)), `${name}: ${path} is ${read(path)}`);
      }
    }),
    { numRuns: 5 * RUNS },
  );
  t.ok(tried > RUNS / 4, `${tried} were tried`);
  t.ok(refused > RUNS / 4, `${refused} were not`);
});

function isRequest(target: string): boolean {
  try {
    requestWith([], { target });
    return true;
  } catch {
    return false; // The client gets 400.
  }
}

await t.test('the longest path costs no more than its length', async (t) => {
  // Where parts of the path could be read in two ways, this would take far longer than a test may.
  for (const part of ['a', '/a', '%20', '/.a', '..']) {
    t.doesNotThrow(() => mayBeTried(`/assets/${part.repeat(8_000 / part.length)}%2f`));
  }
});

const ON = { skew: { isOn: true, rescue: PATTERNS } } as const;

function rescuerOf(change: Partial<Service>, down: readonly number[] = []): string | undefined {
  const deciding = new Deciding(ON, change);
  deciding.setDown(down);
  return deciding.rescuer();
}

await t.test('the latest deployment that drains is asked', async (t) => {
  t.equal(rescuerOf({}), 'draining');
  t.equal(rescuerOf({}, [DRAINING_SLOTS[0]]), 'draining', 'one of two is down');
  t.equal(rescuerOf({}, [ACTIVE_SLOT]), 'draining', 'its own health alone counts');
});

await t.test('a deployment that has drained, or never served, is not asked', async (t) => {
  const { blue } = shop();
  t.equal(rescuerOf({ draining: [] }), undefined);
  t.equal(rescuerOf({ draining: [], blue: { ...blue, servedSince: 35 } }), undefined);
});

await t.test('a deployment whose sessions are over is not asked', async (t) => {
  const deciding = new Deciding(ON);
  const at = (afterS: number): string | undefined => {
    deciding.wall.seconds = NOW_S + afterS;
    return deciding.rescuer();
  };
  t.strictSame([599, 600].map(at), ['draining', undefined]);
});

await t.test('a deployment that is locked out or down is passed over', async (t) => {
  const [first, second] = shop().draining;
  const earlier = drain(first!.deployment, 60);
  const bad = drain(lockedOut(second!.deployment), 600);
  t.equal(rescuerOf({ draining: [bad] }), undefined);
  t.equal(rescuerOf({}, DRAINING_SLOTS), undefined);
  t.equal(rescuerOf({ draining: [earlier, bad] }), 'over');
  t.equal(rescuerOf({ draining: [earlier, second!] }, DRAINING_SLOTS), 'over');
  t.equal(rescuerOf({ draining: [earlier, second!] }), 'draining');
});

await t.test('where to ask is looked up in the latest table', async (t) => {
  const deciding = new Deciding(ON);
  const { policy, table: asked } = deciding;
  const latest = (change: Partial<Service>): string | undefined => {
    deciding.table = routes([{ ...shop(), policy, ...change }]);
    return deciding.rescuer(asked.services[0]!.active);
  };
  const [first, second] = shop().draining;
  t.equal(latest({ draining: [] }), undefined, 'the drain has ended meanwhile');
  t.equal(latest({ draining: [drain(lockedOut(second!.deployment), 600)] }), undefined);
  t.equal(latest({ draining: [drain(first!.deployment, 60)] }), 'over');
  t.equal(latest({ name: 'other' }), undefined, 'the service has gone');
  deciding.table = routes([
    { ...shop(), policy, name: 'other' },
    { ...shop(), policy },
  ]);
  t.equal(
    deciding.rescuer(asked.services[0]!.active),
    'draining',
    'by its name, wherever it stands',
  );
});

await t.test('what has just said 404 is not asked again when it drains itself', async (t) => {
  const deciding = new Deciding(ON);
  const { policy, table: asked } = deciding;
  const { blue, green, draining } = shop();
  const switched = { ...shop(), policy, active: 'blue' } as const;
  deciding.table = routes([{ ...switched, blue, draining: [...draining, drain(green, 900)] }]);
  t.equal(deciding.rescuer(asked.services[0]!.active), 'draining', 'but the one before');
  deciding.table = routes([{ ...switched, blue, draining: [drain(green, 900)] }]);
  t.equal(deciding.rescuer(asked.services[0]!.active), undefined);
});
