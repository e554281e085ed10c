// A file has one reason to change. One that outgrows the bound has two: split it by them.

import t from 'tap';
import { sourceFiles } from './source-files.ts';

/** The median of projects that are a pleasure to read is 60 to 160; this is the outer bound. */
const LINES_MAX = 400;

await t.test('no file of src has more than 400 lines', async (t) => {
  const tooLong = sourceFiles('src')
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ path, lines }) => `${path} has ${lines} lines: split it by reason to change`);
  t.strictSame(tooLong, []);
});

await t.test('every file of src says first what it is responsible for', async (t) => {
  const silent = sourceFiles('src')
    .filter(({ text }) => !/^(?:#!.*\n)?\/\/ /.test(text))
    .map(({ path }) => path);
  t.strictSame(silent, []);
});
