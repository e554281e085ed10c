#!/usr/bin/env node
// argv → command → exit code. Nothing else: what an older Node cannot load is loaded later.

const NODE_MAJOR_MIN = 24;

const major = Number(process.versions.node.split('.')[0]);
if (major < NODE_MAJOR_MIN) {
  process.stderr.write(
    `turnout: expected Node ${NODE_MAJOR_MIN} or newer, got ${process.version}\n`,
  );
  process.exit(1);
}

const { processTerminal } = await import('./cli/terminal/terminal.ts');
const { startLightly } = await import('./cli/program/light-start.ts');
const terminal = processTerminal();
const args = process.argv.slice(2);
const code = (await startLightly(terminal, args)) ?? (await runAny());
const isWritten = await terminal.flushed();
// An exit and not an exit code: nothing that is still open may keep a finished command alive.
process.exit(code === 0 && !isWritten ? 1 : code);

async function runAny() {
  const { runCommand } = await import('./cli/program/commands.ts');
  return await runCommand(terminal, args);
}
