// Preloaded into a process under test, and into its threads: the clock of the system is ahead by as many
// milliseconds as the file says that the variable names; the test may write another number at any time.

import { readFileSync } from 'node:fs';

const file = process.env['TOLD_CLOCK_FILE'] ?? '';
const read = Date.now.bind(Date);
Date.now = () => read() + (file === '' ? 0 : Number(readFileSync(file, 'utf8')));
