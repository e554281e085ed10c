// Whatever is thrown in an event of a socket or a timer costs one connection: a whole plane in which
// one method after the other is made to throw, once, while a client brings about its call. (An error
// that nothing catches fails a test by itself: tap listens.)

import t, { type Test } from 'tap';
import { becomes } from '../../support/shared-counters.ts';
import { AT_REST, FaultScene, get } from './support/fault-scene.ts';
import { MORE_ROWS, SCENARIOS } from './support/fault-scenarios.ts';
import {
  eventClasses,
  isEvent,
  MethodFaults,
  methodsOf,
  thrownIn,
  type MethodName,
  type Moment,
} from './support/method-faults.ts';
import type { SocketKind } from './support/stream-pair.ts';

/** With TURNOUT_FAULTS=all each method throws in every scenario that reaches it. */
const IN_ALL = process.env['TURNOUT_FAULTS'] === 'all';

const KINDS = ['tcp', 'unix'] as const satisfies readonly SocketKind[];
const MOMENTS = ['before', 'after'] as const satisfies readonly Moment[];

/** Classes that hear no events, or few, but in which what others heard is carried on. */
const CARRYING: Readonly<Record<string, (method: string) => boolean>> = {
  // What a stop cuts is cut for all: stop-cuts.test.ts. Those that wait for a target that leaves go
  // elsewhere one by one: targets/pool-leave.test.ts.
  Exchange: (method) => !['onFault', 'elapsedMs', 'cutByStop', 'sendElsewhere'].includes(method),
  EndpointPool: (method) => ['serve', 'release', 'leaveQueue'].includes(method),
};

/** Does nothing: of a copy, a head is all that there is to send. */
const EMPTY: ReadonlySet<string> = new Set(['ShadowCopy.onRoom']);

const classes = await eventClasses(Object.keys(CARRYING));
const faults = new MethodFaults(classes);

/** Every method that is made to throw. */
const methods = classes.flatMap(({ name, prototype }) =>
  methodsOf(prototype)
    .filter((method) => isEvent(method) || CARRYING[name]?.(method) === true)
    .map((method) => `${name}.${method}`)
    .filter((method) => !EMPTY.has(method)),
);

/** Runs one scenario, undisturbed; returns what was called. */
async function trace(t: Test, scenario: string, kind: SocketKind): Promise<readonly MethodName[]> {
  const { run, ...options } = SCENARIOS[scenario]!;
  faults.forget();
  const scene = await FaultScene.open(t, faults, { kind, ...options });
  faults.forget();
  await scene.connectVictim();
  await run(scene);
  const called = [...faults.called];
  scene.victim.socket.destroy();
  t.strictSame(await scene.rest(), [AT_REST], 'it leaves nothing behind');
  t.strictSame(scene.reported, []);
  return called;
}

/** Scenarios by the methods that they reach. */
const reached = {
  tcp: new Map<MethodName, string[]>(),
  unix: new Map<MethodName, string[]>(),
};
await t.test('what is expected of each scenario comes to pass', async (t) => {
  for (const kind of KINDS) {
    for (const scenario of Object.keys(SCENARIOS)) {
      await t.test(`${scenario} (${kind})`, async (t) => {
        for (const name of await trace(t, scenario, kind)) {
          const known = reached[kind].get(name) ?? [];
          reached[kind].set(name, [...known, scenario]);
        }
      });
    }
  }
});

await t.test('each event comes up in some scenario', (t) => {
  for (const kind of KINDS) {
    const missing = methods.filter((method) => !reached[kind].has(method));
    t.strictSame(missing, [], kind);
  }
  t.end();
});

for (const kind of KINDS) {
  const rows = methods.flatMap((method) => {
    const scenarios = (reached[kind].get(method) ?? []).slice(0, IN_ALL ? undefined : 1);
    return scenarios.flatMap((one) => MOMENTS.map((moment) => [method, moment, one] as const));
  });
  for (const [method, moment, scenario] of [...rows, ...MORE_ROWS]) {
    await t.test(`${method} throws ${moment} its work: ${scenario} (${kind})`, async (t) => {
      await check(t, { method, moment, kind, scenario });
    });
  }
}

interface Case {
  readonly method: MethodName;
  readonly moment: Moment;
  readonly kind: SocketKind;
  readonly scenario: string;
}

async function check(t: Test, { method, moment, kind, scenario }: Case): Promise<void> {
  const { run, ...options } = SCENARIOS[scenario]!;
  const scene = await FaultScene.open(t, faults, { kind, ...options });
  faults.arm(method, moment);
  await scene.connectVictim();
  await run(scene);
  t.ok(await becomes(() => scene.reported.includes(thrownIn(method))), 'the error is reported');
  await isNotLeftHanging(t, scene);
  await scene.askBystander('/ok');
  scene.victim.socket.destroy();
  t.strictSame(await scene.rest(), [AT_REST], 'and nothing is left');
}

/** The connection of the victim ends; or, where the error was not its own, it goes on to serve. */
async function isNotLeftHanging(t: Test, { victim, plane }: FaultScene): Promise<void> {
  victim.socket.resume();
  victim.send(get('/probe'));
  const isServed = (): boolean => victim.text.endsWith('\r\n\r\nok');
  const isSettled = await becomes(() => {
    plane.plane.wheel.advance(1);
    return victim.ending !== undefined || isServed();
  });
  t.ok(isSettled, `the client is not left hanging; ${victim.summary()}`);
}
