// Which sockets a process inherits, by what the environment says, and which of them it keeps.

import { closeSync, fstatSync, openSync } from 'node:fs';
import t from 'tap';
import { parseListen } from '../../../../src/config/values/address.ts';
import type { Listener } from '../../../../src/contract/worker-settings.ts';
import {
  fdsFor,
  HANDOVER_VARIABLE,
  handoverText,
  listenerFds,
  readInheritance,
  type Inheritance,
} from '../../../../src/control-plane/listening/inheritance.ts';

const PID = 1_234;
const NONE = { address: '', fds: [] };
const NOTHING: Inheritance = { listen: [NONE], preview: NONE, admin: NONE, metrics: NONE };

function systemd(count: string, names?: string, pid = String(PID)) {
  const named = names === undefined ? {} : { LISTEN_FDNAMES: names };
  return readInheritance({ LISTEN_PID: pid, LISTEN_FDS: count, ...named }, PID);
}

await t.test('without a word about sockets there are none', (t) => {
  t.strictSame(readInheritance({}, PID), NOTHING);
  t.strictSame(readInheritance({ [HANDOVER_VARIABLE]: '' }, PID), NOTHING);
  t.end();
});

await t.test('sockets of systemd are told apart by their names', (t) => {
  t.match(systemd('5', 'http:admin:preview:metrics:http'), {
    listen: [{ address: '', fds: [3, 7] }],
    admin: { fds: [4] },
    preview: { fds: [5] },
    metrics: { fds: [6] },
  });
  t.match(systemd('2'), { listen: [{ fds: [3, 4] }] }, 'without names they are for traffic');
  t.match(systemd('3', 'admin'), { listen: [{ fds: [4, 5] }], admin: { fds: [3] } });
  t.match(systemd('256'), { listen: [{ fds: { length: 256 } }] });
  t.end();
});

await t.test('sockets that are meant for another process are not ours', (t) => {
  t.strictSame(systemd('2', 'http:admin', '99'), NOTHING);
  t.end();
});

await t.test('a number of sockets that is none ends the start', (t) => {
  for (const count of ['x', '-1', '1.5', '257', '1e9']) {
    t.throws(() => systemd(count), {
      name: 'StartError',
      message: /expected a number of sockets in LISTEN_FDS/,
    });
  }
  t.end();
});

function read(value: unknown) {
  return readInheritance({ [HANDOVER_VARIABLE]: JSON.stringify(value), LISTEN_PID: '1234' }, PID);
}

await t.test('a handover is what the process before has written', (t) => {
  const given = {
    listen: { address: '127.0.0.1:80', fds: [4, 5] },
    preview: NONE,
    admin: { address: '127.0.0.1:81', fds: [6] },
  };
  const listen = [given.listen];
  t.strictSame(
    read(given),
    { ...given, listen, metrics: NONE },
    'an earlier version knew no metrics',
  );
  const metrics = { address: '127.0.0.1:82', fds: [7] };
  t.strictSame(read({ ...given, metrics }), { ...given, listen, metrics });
  const others = [{ address: 'unix:/b', fds: [8] }, NONE];
  t.strictSame(read({ ...given, others }), {
    ...given,
    listen: [given.listen, ...others],
    metrics: NONE,
  });
  const wrong = [
    'x',
    {},
    { ...given, more: NONE },
    { ...given, others: NONE },
    { ...given, others: Array.from({ length: 65 }, () => NONE) },
    { ...given, admin: { address: '', fds: [2] } },
    { ...given, admin: { address: '', fds: ['6'] } },
    { ...given, admin: { address: '', fds: Array.from({ length: 257 }, (_, n) => n + 3) } },
  ];
  for (const value of wrong) {
    t.throws(() => read(value), {
      name: 'StartError',
      message: /`turnout upgrade` alone; unset it/,
    });
  }
  t.throws(() => readInheritance({ [HANDOVER_VARIABLE]: '{' }, PID), /unset it/);
  t.end();
});

/** Opens something that has a descriptor. */
function descriptor(): number {
  return openSync('/dev/null', 'r');
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

await t.test('sockets of the address that is wanted are kept, others are closed', (t) => {
  const rows = [
    [true, '', '127.0.0.1:80', 'systemd knows best'],
    [true, '127.0.0.1:80', '127.0.0.1:80', 'the same'],
    [true, '127.0.0.1:4567', '127.0.0.1:0', 'any port will do'],
    [false, '127.0.0.1:80', '127.0.0.1:81', 'another port'],
    [false, '127.0.0.1:4567', '0.0.0.0:0', 'any port, elsewhere'],
    [false, 'unix:/a', 'unix:/b', 'another path'],
    [false, '127.0.0.1:80', '', 'it is not wanted any more'],
  ] as const;
  for (const [isKept, was, address, what] of rows) {
    const fd = descriptor();
    t.strictSame(fdsFor({ address: was, fds: [fd] }, address), isKept ? [fd] : [], what);
    t.equal(isOpen(fd), isKept, `${what}: connections would wait in it for ever`);
    if (isKept) closeSync(fd);
  }
  t.end();
});

await t.test('a descriptor that is none ends the start', (t) => {
  const fd = descriptor();
  closeSync(fd);
  t.throws(() => fdsFor({ address: 'unix:/a', fds: [fd] }, 'unix:/b'), {
    name: 'StartError',
    message: /an inherited socket cannot be closed: EBADF/,
  });
  t.end();
});

await t.test('what is handed over is read as it was, by earlier versions too', (t) => {
  const admin = { address: '127.0.0.1:81', fds: [6] };
  const one = { address: '127.0.0.1:80', fds: [4, 5] };
  const simple: Inheritance = { listen: [one], preview: NONE, admin, metrics: NONE };
  t.strictSame(JSON.parse(handoverText(simple)), { ...simple, listen: one }, 'their form');
  t.strictSame(read(JSON.parse(handoverText(simple))), simple);
  const several: Inheritance = { ...simple, listen: [one, { address: 'unix:/b', fds: [7] }] };
  t.strictSame(read(JSON.parse(handoverText(several))), several);
  t.end();
});

function listenerAt(address: string, use: Listener['use'] = 'traffic'): Listener {
  const parsed = parseListen(address, '127.0.0.1');
  if (!parsed.ok) throw new Error(address);
  return { address: parsed.value, use, redirectPort: 0, tls: undefined, proxyFrom: [] };
}

const THREE = [
  listenerAt('127.0.0.1:80'),
  listenerAt('unix:/b'),
  listenerAt('127.0.0.1:82', 'redirect'),
  listenerAt('127.0.0.1:83', 'preview'),
];

await t.test('sockets of systemd are for the listeners in the order of the configuration', (t) => {
  const given = systemd('6', 'listen-3:http:preview:listen-2:http:listen-2');
  t.strictSame(listenerFds(given, THREE), [
    { listener: 'traffic 127.0.0.1:80', fds: [4, 7] },
    { listener: 'traffic unix:/b', fds: [6, 8] },
    { listener: 'redirect 127.0.0.1:82', fds: [3] },
    { listener: 'preview 127.0.0.1:83', fds: [5] },
  ]);
  const odd = systemd('4', 'listen-1:listen-02:listen-65:listen-two');
  t.match(odd, { listen: [{ fds: [3, 4, 5, 6] }] }, 'what is no such name is for the first');
  const gap = systemd('1', 'listen-3');
  t.strictSame(listenerFds(gap, THREE), [{ listener: 'redirect 127.0.0.1:82', fds: [3] }]);
  t.end();
});

await t.test('sockets that are for no listener are closed', (t) => {
  const fds = [descriptor(), descriptor(), descriptor()];
  const given: Inheritance = {
    ...NOTHING,
    listen: [
      { address: '127.0.0.1:80', fds: [fds[0]!] },
      { address: '127.0.0.1:99', fds: [fds[1]!] },
    ],
    preview: { address: '', fds: [fds[2]!] },
  };
  t.strictSame(listenerFds(given, THREE.slice(0, 1)), [
    { listener: 'traffic 127.0.0.1:80', fds: [fds[0]!] },
  ]);
  t.strictSame(fds.map(isOpen), [true, false, false]);
  closeSync(fds[0]!);
  t.end();
});

await t.test('a handed over socket goes where its address is, whatever it is for then', (t) => {
  const given: Inheritance = {
    ...NOTHING,
    listen: [
      { address: '127.0.0.1:83', fds: [10] },
      { address: '127.0.0.1:82', fds: [11] },
      { address: 'unix:/b', fds: [12] },
    ],
    preview: { address: '127.0.0.1:80', fds: [13] },
  };
  const found = listenerFds(given, THREE).map(({ listener, fds }) => [listener, ...fds]);
  t.strictSame(
    new Map(found as [string, number][]),
    new Map([
      ['preview 127.0.0.1:83', 10],
      ['redirect 127.0.0.1:82', 11],
      ['traffic unix:/b', 12],
      ['traffic 127.0.0.1:80', 13],
    ]),
  );
  t.end();
});

await t.test('where any port will do, a socket stays with what it was for', (t) => {
  const given: Inheritance = {
    ...NOTHING,
    listen: [{ address: '127.0.0.1:5000', fds: [10] }],
    preview: { address: '127.0.0.1:6000', fds: [11] },
  };
  const wanted = [listenerAt('127.0.0.1:0', 'preview'), listenerAt('127.0.0.1:0')];
  t.strictSame(listenerFds(given, wanted), [
    { listener: 'traffic 127.0.0.1:0', fds: [10] },
    { listener: 'preview 127.0.0.1:0', fds: [11] },
  ]);
  t.end();
});
