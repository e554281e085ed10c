// Preloaded into a process under test, and into its threads: the clock of the system is off by as many
// milliseconds as the variable says.

const byMs = Number(process.env['MOVE_CLOCK_BY_MS'] ?? 0);
const read = Date.now.bind(Date);
Date.now = () => read() + byMs;
