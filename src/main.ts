#!/usr/bin/env node
// argv → command → exit code. Nothing else: what an older Node cannot load is loaded later.
//
// An older Node must be able to read this file, so that it can say what to do: it is JavaScript
// without types, import statements and top-level await, and CommonJS by src/package.json.

const NODE_MAJOR_MIN = 24;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN) void sayWhatToDo();
else void main();

async function main() {
  const { processTerminal } = await import('./cli/terminal/terminal.ts');
  const { startLightly } = await import('./cli/program/light-start.ts');
  const terminal = processTerminal();
  const args = process.argv.slice(2);
  const runAny = async () => {
    const { runCommand } = await import('./cli/program/commands.ts');
    return await runCommand(terminal, args);
  };
  const code = (await startLightly(terminal, args)) ?? (await runAny());
  const isWritten = await terminal.flushed();
  // An exit and not an exit code: nothing that is still open may keep a finished command alive.
  process.exit(code === 0 && !isWritten ? 1 : code);
}

/** Two lines, the second with a command that works as it stands where npm has brought a Node. */
async function sayWhatToDo() {
  const { existsSync, realpathSync } = await import('node:fs');
  const path = await import('node:path');
  const script = realpathSync(process.argv[1] || '.');
  const root = path.dirname(path.dirname(script));
  let folder = root;
  const nodeIn = () => path.join(folder, 'node_modules/node/bin/node');
  while (!existsSync(nodeIn()) && folder !== path.dirname(folder)) folder = path.dirname(folder);
  const isThere = existsSync(nodeIn());
  const files = [nodeIn(), script].map((file) => {
    const near = path.relative(process.cwd(), file);
    return near.startsWith('..') ? file : near;
  });
  const command = [...files, ...process.argv.slice(2)]
    .map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.split("'").join("'\\''")}'`))
    .join(' ');
  const isCheckout = existsSync(path.join(root, 'package-lock.json'));
  const remedy = isCheckout
    ? `\`npm ci\` in ${root} brings Node ${NODE_MAJOR_MIN}; \`npm start\` there shows a demo`
    : `install Node ${NODE_MAJOR_MIN}, or let npm bring it: npm install node@${NODE_MAJOR_MIN}`;
  process.stderr.write(
    `turnout: expected Node ${NODE_MAJOR_MIN} or newer, got ${process.version}\n` +
      `${isThere ? `use the one that npm brought: ${command}` : remedy}\n`,
  );
  process.exitCode = 1;
}
