// The image: built as the Dockerfile says, run without root and without a writable root,
// switched from inside, stopped in order. The steps are those of .ci/image.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { skipWithout } from '../support/installed.ts';

const SCRIPT = new URL('../../.ci/image', import.meta.url).pathname;

/** A test installs nothing: `.ci/image`, called by hand, does. */
function reasonToSkip(): string | false {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return skipWithout('podman', 'buildah', 'runc', 'busybox');
}

await t.test(
  'the image is built, runs, switches and stops',
  { skip: reasonToSkip() },
  async (t) => {
    const child = spawn('bash', [SCRIPT], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    t.equal(code, 0, err);
    t.match(out, /default: blue → green/);
    const bytes = Number(/^image: (\d+) bytes$/m.exec(out)?.[1]);
    // Node itself is 125 MB of it in a base of nearly 170 MB here; the rest is ours.
    t.ok(bytes > 0 && bytes < 300e6, `${bytes} bytes`);
  },
);
