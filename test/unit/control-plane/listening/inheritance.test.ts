// Which sockets a process inherits, by what the environment says, and which of them it keeps.

import { closeSync, fstatSync, openSync } from 'node:fs';
import t from 'tap';
import {
  fdsFor,
  HANDOVER_VARIABLE,
  listenerFds,
  readInheritance,
} from '../../../../src/control-plane/listening/inheritance.ts';

const PID = 1_234;
const NONE = { address: '', fds: [] };
const NOTHING = { listen: NONE, preview: NONE, admin: NONE, metrics: NONE };

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
    listen: { address: '', fds: [3, 7] },
    admin: { fds: [4] },
    preview: { fds: [5] },
    metrics: { fds: [6] },
  });
  t.match(systemd('2'), { listen: { fds: [3, 4] } }, 'without names they are for traffic');
  t.match(systemd('3', 'admin'), { listen: { fds: [4, 5] }, admin: { fds: [3] } });
  t.match(systemd('256'), { listen: { fds: { length: 256 } } });
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
  t.strictSame(read(given), { ...given, metrics: NONE }, 'an earlier version knew no metrics');
  const metrics = { address: '127.0.0.1:82', fds: [7] };
  t.strictSame(read({ ...given, metrics }), { ...given, metrics });
  const wrong = [
    'x',
    {},
    { ...given, more: NONE },
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

await t.test('traffic and previews each get their own', (t) => {
  const given = {
    ...NOTHING,
    listen: { address: 'unix:/a', fds: [] },
    preview: { address: '', fds: [9] },
  };
  t.strictSame(listenerFds(given, { listen: 'unix:/a', preview: 'unix:/p' }), {
    listen: [],
    preview: [9],
  });
  t.end();
});
