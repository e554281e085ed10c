// Preloaded into a process under test, and into its threads: once the file that the variable names is
// there, the clock of the system is an hour behind.

import { existsSync } from 'node:fs';

const HOUR_MS = 3_600_000;
const file = process.env['SET_BACK_FILE'] ?? '';
const read = Date.now.bind(Date);
Date.now = () => read() - (existsSync(file) ? HOUR_MS : 0);
