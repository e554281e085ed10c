// From what is to what is declared: which steps, and in which order.

import * as fc from 'fast-check';
import t from 'tap';
import type { Step } from '../../../../src/cli/verbs/apply-plan.ts';
import type { Declared, DeclaredSide } from '../../../../src/config/declaration.ts';
import type { Color } from '../../../../src/contract/table.ts';
import { missingSteps } from '../support/read.ts';

interface World {
  readonly name: string;
  active: Color;
  blue: DeclaredSide;
  green: DeclaredSide;
}

function sideStatus({ release, urls, schema }: DeclaredSide): object {
  return { release, schema, targets: urls.map((url) => ({ url })) };
}

/** The status of a server, as far as it matters here. */
function statusOf(worlds: readonly World[]): object {
  return {
    services: worlds.map(({ name, active, blue, green }) => {
      return { name, active, blue: sideStatus(blue), green: sideStatus(green) };
    }),
  };
}

/** Does what a server does, and refuses what it refuses. */
function make(world: World, step: Step): void {
  if (step.kind === 'switch') {
    if (step.from !== world.active || step.to === world.active) throw new Error('no such switch');
    if (world[step.to].urls.length === 0) throw new Error('no target');
    world.active = step.to;
    return;
  }
  if (step.kind === 'scale') {
    const { release, urls } = world[step.color];
    const stays = urls.some((url) => step.to.urls.includes(url));
    if (step.to.release !== release || !stays) throw new Error('replaces-all-targets');
    world[step.color] = step.to;
    return;
  }
  if (step.color === world.active) throw new Error('color-active');
  world[step.color] = step.to;
}

function side(release: string): DeclaredSide {
  return { release, urls: release === '' ? [] : [`http://${release}:80`] };
}

/** A release at one, two or three of its places, in any order. */
const PLACED = fc
  .record({
    release: fc.constantFrom('v1', 'v2', 'v3'),
    ports: fc.uniqueArray(fc.constantFrom(80, 81, 82), { minLength: 1 }),
  })
  .map(({ release, ports }) => ({
    release,
    urls: ports.map((port) => `http://${release}:${port}`),
  }));
const RELEASES = fc.oneof(fc.constant(side('')), PLACED);
const DECLARED_SIDE = fc.option(PLACED, { nil: undefined });
const COLOR = fc.constantFrom<Color>('blue', 'green');

const WORLD = fc.record({ active: COLOR, blue: RELEASES, green: RELEASES });
const DECLARED = fc.record({
  name: fc.constant('shop'),
  active: fc.option(COLOR, { nil: undefined }),
  blue: DECLARED_SIDE,
  green: DECLARED_SIDE,
});

await t.test(
  'the steps can be made, lead to what is declared, and then none is left',
  async (t) => {
    let planned = 0;
    fc.assert(
      fc.property(WORLD, DECLARED, (start, declared) => {
        const world: World = { name: 'shop', ...start };
        const missing = missingSteps([declared], statusOf([world]));
        if (!missing.ok) return missing.problems.length === 1;
        planned++;
        for (const step of missing.steps) make(world, step);
        const again = missingSteps([declared], statusOf([world]));
        return again.ok && again.steps.length === 0 && isTrue(declared, world);
      }),
      { numRuns: 2_000 },
    );
    t.ok(planned > 200, `${planned} of them had a plan`);
  },
);

function isTrue({ active, blue, green }: Declared, world: World): boolean {
  const isActive = active === undefined || active === world.active;
  return isActive && isThere(blue, world.blue) && isThere(green, world.green);
}

function isThere(wanted: DeclaredSide | undefined, is: DeclaredSide): boolean {
  if (wanted === undefined) return true;
  return textOf(wanted) === textOf(is);
}

/** The order of targets says nothing. */
function textOf({ release, urls }: DeclaredSide): string {
  return JSON.stringify([release, urls.toSorted()]);
}

const SHOP: World = { name: 'shop', active: 'blue', blue: side('v1'), green: side('') };
const NOTHING = { name: undefined, active: undefined, blue: undefined, green: undefined };

await t.test('a release comes to the idle color before it gets the traffic', async (t) => {
  const declared = { ...NOTHING, active: 'green', green: side('v2'), blue: side('v3') } as const;
  const missing = missingSteps([declared], statusOf([SHOP]));
  const service = 'shop';
  t.strictSame(missing, {
    ok: true,
    steps: [
      { kind: 'register', service, color: 'green', from: side(''), to: side('v2') },
      { kind: 'switch', service, from: 'blue', to: 'green', release: 'v2' },
      { kind: 'register', service, color: 'blue', from: side('v1'), to: side('v3') },
    ],
  });
});

await t.test('a schema is registered with its release, and never changed while it serves', (t) => {
  const ten = { provides: 10, requires: [10, 11] } as const;
  const twelve = { provides: 12, requires: [10, 12] } as const;
  const [blue, green] = [side('v1'), side('v2')];
  const world = { ...SHOP, green: { ...green, schema: ten } };
  const of = (declared: Partial<Declared>) =>
    missingSteps([{ ...NOTHING, ...declared }], statusOf([world]));
  t.strictSame(of({ green }), { ok: true, steps: [] }, 'silence leaves what was said');
  t.strictSame(of({ green: { ...green, schema: ten } }), { ok: true, steps: [] });
  t.match(of({ green: { ...green, schema: twelve } }), {
    steps: [{ kind: 'register', from: { schema: ten }, to: { schema: twelve } }],
  });
  t.match(of({ blue: { ...blue, schema: ten } }), {
    problems: [/so v1 at .* \(schema 10, works with 10\.\.11\) cannot .* or leave its schema out/],
  });
  t.end();
});

await t.test('services come in the order of the file', async (t) => {
  const worlds = [SHOP, { ...SHOP, name: 'api', green: side('v2') }];
  const declared = ['api', 'shop'].map((name) => ({ ...NOTHING, name, green: side('v3') }));
  const missing = missingSteps(declared, statusOf(worlds));
  t.match(missing, { steps: [{ service: 'api' }, { service: 'shop' }] });
});

await t.test('an address of a name does not count as a target', async (t) => {
  const targets = ['10.0.0.1', '10.0.0.2'].map((address) => ({ url: 'http://v2:80', address }));
  const status = {
    services: [{ name: 'shop', active: 'blue', green: { release: 'v2', targets } }],
  };
  t.same(missingSteps([{ ...NOTHING, green: side('v2') }], status), { ok: true, steps: [] });
});

/** The release v1 at some of its places. */
function at(...ports: number[]): DeclaredSide {
  return { release: 'v1', urls: ports.map((port) => `http://v1:${port}`) };
}

/** The status where `active` is the deployment 7. */
function statusWith(active: DeclaredSide): object {
  return {
    services: [{ name: 'shop', active: 'blue', blue: { ...sideStatus(active), deployment: 7 } }],
  };
}

await t.test(
  'an active color with some other targets is scaled, in no new deployment',
  async (t) => {
    const declared = [{ ...NOTHING, blue: at(82, 80) }];
    t.strictSame(missingSteps(declared, statusWith(at(80, 81))), {
      ok: true,
      steps: [
        {
          kind: 'scale',
          service: 'shop',
          color: 'blue',
          deployment: 7,
          from: at(80, 81),
          to: at(82, 80),
        },
      ],
    });
    t.strictSame(
      missingSteps(declared, statusWith(at(80, 82))),
      { ok: true, steps: [] },
      'another order',
    );
    t.match(missingSteps(declared, statusWith(at(81))), {
      ok: false,
      problems: [/declare it on green, and active: green, or keep one of its targets$/],
    });
    t.match(
      missingSteps([{ ...NOTHING, blue: { ...at(80), release: 'v2' } }], statusWith(at(80))),
      {
        ok: false,
        problems: [/declare it on green, and active: green$/],
      },
    );
  },
);

await t.test('what cannot be brought about is told, for all services', async (t) => {
  const declared = [
    { ...NOTHING, name: 'shop', blue: side('v2') },
    { ...NOTHING, name: 'api', active: 'green' as const },
    { ...NOTHING, name: 'none', active: 'green' as const },
  ];
  const missing = missingSteps(declared, statusOf([SHOP, { ...SHOP, name: 'api' }]));
  t.strictSame(missing, {
    ok: false,
    problems: [
      'shop: blue gets the traffic with v1 at http://v1:80, so v2 at http://v2:80 cannot be put there: declare it on green, and active: green',
      'api: green shall be active but has no target: declare green as well',
      'there is no service none; expected one of: shop, api',
    ],
  });
  const unnamed = missingSteps([{ ...NOTHING, active: 'green' }], statusOf([SHOP, SHOP]));
  t.match(unnamed, {
    ok: false,
    problems: [/^expected the name of a service, one of: shop, shop/],
  });
});
