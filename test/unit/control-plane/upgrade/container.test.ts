import { readFileSync } from 'node:fs';
import t from 'tap';
import { endsContainer, ownStanding } from '../../../../src/control-plane/upgrade/container.ts';

await t.test('a container ends with its main process, and with that of a small init', async (t) => {
  const ends = [
    { parent: 0, init: 'node' }, // Process 1 itself.
    { parent: 0, init: 'pause' }, // The main process where a pod shares its processes.
    { parent: 1, init: 'tini' },
    { parent: 1, init: 'docker-init' },
    { parent: 1, init: 'dumb-init' },
    { parent: 1, init: 'catatonit' },
    { parent: 1, init: 'podman-init' },
    { parent: 1, init: 'sh' },
    { parent: 1, init: 'ash' },
    { parent: 1, init: 'dash' },
    { parent: 1, init: 'bash' },
  ];
  for (const standing of ends) t.ok(endsContainer(standing), JSON.stringify(standing));
});

await t.test('elsewhere a process may be replaced', async (t) => {
  const stays = [
    { parent: 1, init: 'systemd' },
    { parent: 1, init: 'init' },
    { parent: 1, init: 's6-svscan' },
    { parent: 1, init: '' },
    { parent: 4711, init: 'tini' }, // A shell or a supervisor is between.
    { parent: 4711, init: 'systemd' },
  ];
  for (const standing of stays) t.notOk(endsContainer(standing), JSON.stringify(standing));
});

await t.test('a process knows how it stands', async (t) => {
  t.equal(ownStanding().parent, process.ppid);
  t.equal(ownStanding().init, readFileSync('/proc/1/comm', 'utf8').trim());
});
