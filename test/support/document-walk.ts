// Turns a document into the steps that a reader would take: files that it shows, commands that it
// says, what they print. How a document marks them is described in CONTRIBUTING.md. Knows no process.

/** One thing that a reader does. */
export type Step =
  | { readonly kind: 'file'; readonly line: number; readonly name: string; readonly text: string }
  | {
      readonly kind: 'commands';
      readonly line: number;
      readonly text: string;
      /** What holds before: a command that is repeated until it succeeds, as a reader takes time. */
      readonly until: string;
      /** How the last command ends. */
      readonly exit: number;
      /** The command goes on, as in a terminal of its own; the reader waits until this URL answers. */
      readonly keepsRunning: string | undefined;
      /** What is printed: these lines in this order, with others between; `…` stands for anything. */
      readonly prints: readonly string[];
    };

export interface Walk {
  /** What is there before the first step: a function of test/docs/scenes.sh. */
  readonly scene: string;
  readonly steps: readonly Step[];
}

export interface Walks {
  readonly walks: readonly Walk[];
  /** Commands that no test can run, with the reason. */
  readonly notRun: readonly { readonly line: number; readonly reason: string }[];
  /** What breaks the rules of marking. */
  readonly faults: readonly string[];
}

interface Marks {
  notRun?: string;
  exit?: number;
  keepsRunning?: string;
  until?: string;
}

const COMMANDS = new Set(['sh', 'bash']);

/** Returns what a reader of `document` does, scene by scene. */
export function walksIn(document: string): Walks {
  const lines = document.split('\n');
  const walks: { scene: string; steps: Step[] }[] = [];
  const notRun: Walks['notRun'][number][] = [];
  const faults: string[] = [];
  let marks: Marks = {};
  let last: number | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const mark = /^\s*<!-- (walk|not run|exit|until|keeps running)(?:: (.+))? -->$/.exec(line);
    if (mark !== null) {
      const [, name = '', value = ''] = mark;
      if (name === 'walk') walks.push({ scene: value, steps: [] });
      else if (name === 'not run') marks.notRun = value;
      else if (name === 'exit') marks.exit = Number(value);
      else if (name === 'until') marks.until = value;
      else marks.keepsRunning = value;
      continue;
    }
    const fence = /^(\s*)(`{3,})(\S*)(?: (\S+))?/.exec(line);
    if (fence === null) {
      if (line.trim() !== '') last = undefined;
      continue;
    }
    const [, indent = '', ticks = '', language = '', name] = fence;
    const end = lines.findIndex((one, index) => index > at && one.trim() === ticks);
    const body = lines.slice(at + 1, end).map((one) => one.slice(indent.length));
    const number = at + 1;
    at = end;
    const steps = walks.at(-1)?.steps;
    if (COMMANDS.has(language)) {
      if (marks.notRun !== undefined) notRun.push({ line: number, reason: marks.notRun });
      else if (steps === undefined)
        faults.push(`line ${number}: no "walk" mark above these commands`);
      else {
        const { exit = 0, keepsRunning, until = 'true' } = marks;
        last = steps.push({
          kind: 'commands',
          line: number,
          text: body.join('\n'),
          until,
          exit,
          keepsRunning,
          prints: [],
        });
      }
    } else if (language === 'text' && steps !== undefined && last !== undefined) {
      const step = steps[last - 1]!;
      if (step.kind === 'commands') steps[last - 1] = { ...step, prints: linesOf(body) };
      last = undefined;
    } else if (name !== undefined) {
      if (steps === undefined) faults.push(`line ${number}: no "walk" mark above this file`);
      else steps.push({ kind: 'file', line: number, name, text: `${body.join('\n')}\n` });
      last = undefined;
    }
    marks = {};
  }
  return { walks, notRun, faults };
}

/** Returns the first of `prints` that `output` does not have after those before it. */
export function missingIn(output: string, prints: readonly string[]): string | undefined {
  const lines = output.split('\n').map((line) => line.trim());
  let from = 0;
  for (const wanted of prints) {
    const at = lines.findIndex((line, index) => index >= from && isAsWanted(line, wanted));
    if (at === -1) return wanted;
    from = at + 1;
  }
  return undefined;
}

function linesOf(body: readonly string[]): string[] {
  return body.map((line) => line.trim()).filter((line) => line !== '' && line !== '…');
}

function isAsWanted(line: string, wanted: string): boolean {
  const parts = wanted.split('…').map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join('.*')}$`).test(line);
}
