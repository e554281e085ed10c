// Reads the wire cases of test/wire/*.md: bytes in, bytes out, one heading each. The notation is
// described in test/wire/README.md. This file knows nothing of sockets.

import type { SettingsPatch } from './plane.ts';

/** One thing that a block says: bytes, or a directive such as `(close)`. */
export type Item =
  | { readonly kind: 'bytes'; readonly text: string }
  | { readonly kind: 'directive'; readonly name: string };

export interface WireCase {
  /** The file and the heading. */
  readonly name: string;
  /** Section of the RFC, or the reason in words where none says it. */
  readonly citation: string;
  readonly settings: SettingsPatch;
  readonly client: readonly Item[];
  /** What the origin must see; undefined: not looked at. */
  readonly origin: readonly (readonly Item[])[] | undefined;
  /** One script per request that reaches the origin; undefined: the default answer. */
  readonly answers: readonly (readonly Item[])[] | undefined;
  readonly replies: readonly (readonly Item[])[];
}

const BLOCKS = new Set(['settings', 'client', 'origin', 'answer', 'reply']);

/** Directives that may stand in each block. */
const DIRECTIVES: Readonly<Record<string, RegExp>> = {
  client: /^(wait|read \d+|wait for origin|turn|end|reset|unsplit)$/,
  origin: /^(nothing|next|added|broken off|closed|tunnel)$/,
  answer: /^(next|after head|wait|close|reset|hang|tunnel|read \d+|turn)$/,
  reply: /^(next|nothing|close|reset|cut|tunnel)$/,
};

/** Returns the cases of one markdown file; throws, naming the line, where it cannot be read. */
export function parseWireCases(file: string, markdown: string): WireCase[] {
  const cases: WireCase[] = [];
  let heading = '';
  let citation = '';
  let blocks = new Map<string, string[]>();
  let open: string[] | undefined;
  const finish = (): void => {
    if (heading !== '') cases.push(buildCase({ file, heading, citation, blocks }));
    heading = '';
    citation = '';
    blocks = new Map();
  };
  for (const [index, line] of markdown.split('\n').entries()) {
    const where = `${file}:${index + 1}`;
    if (open !== undefined) {
      if (line === '```') open = undefined;
      else open.push(line);
    } else if (line.startsWith('```')) {
      const name = line.slice(3);
      if (!BLOCKS.has(name)) throw new Error(`${where}: unknown block ${name}`);
      if (blocks.has(name)) throw new Error(`${where}: a second ${name} block`);
      open = [];
      blocks.set(name, open);
    } else if (line.startsWith('## ')) {
      finish();
      heading = line.slice(3).trim();
    } else if (line.trim() !== '' && heading !== '') {
      if (blocks.size === 0) citation = `${citation} ${line.trim()}`.trim();
      else throw new Error(`${where}: prose must stand above the blocks`);
    }
  }
  if (open !== undefined) throw new Error(`${file}: the last block does not end`);
  finish();
  return cases;
}

/** Returns the bytes of `items` in one piece. */
export function bytesOf(items: readonly Item[]): string {
  return items.map((item) => (item.kind === 'bytes' ? item.text : '')).join('');
}

/** Returns true when `items` hold the directive `name`. */
export function says(items: readonly Item[], name: string): boolean {
  return items.some((item) => item.kind === 'directive' && item.name === name);
}

interface RawCase {
  readonly file: string;
  readonly heading: string;
  readonly citation: string;
  readonly blocks: ReadonlyMap<string, readonly string[]>;
}

function buildCase(raw: RawCase): WireCase {
  const name = `${raw.file}: ${raw.heading}`;
  const items = (block: string): Item[] | undefined => {
    const lines = raw.blocks.get(block);
    return lines === undefined ? undefined : parseItems({ name, block, lines });
  };
  const client = items('client');
  const reply = items('reply');
  const origin = items('origin');
  const answer = items('answer');
  if (client === undefined || reply === undefined || raw.citation === '') {
    throw new Error(`${name}: needs a citation, a client block and a reply block`);
  }
  return {
    name,
    citation: raw.citation,
    settings: JSON.parse(raw.blocks.get('settings')?.join('\n') ?? '{}') as SettingsPatch,
    client,
    origin: origin && separate(origin),
    answers: answer && separate(answer),
    replies: separate(reply),
  };
}

function parseItems(block: {
  readonly name: string;
  readonly block: string;
  readonly lines: readonly string[];
}): Item[] {
  const items: Item[] = [];
  let text = '';
  const flush = (): void => {
    if (text !== '') items.push({ kind: 'bytes', text });
    text = '';
  };
  for (const line of block.lines) {
    const name = /^\(([a-z0-9 ]+)\)$/.exec(line)?.[1];
    if (name === undefined) {
      const isOpenEnded = /(?<!\\)(?:\\\\)*\\$/.test(line);
      text += isOpenEnded ? unescape(line.slice(0, -1)) : `${unescape(line)}\r\n`;
    } else {
      if (!DIRECTIVES[block.block]!.test(name)) {
        throw new Error(`${block.name}: (${name}) has no meaning in ${block.block}`);
      }
      flush();
      items.push({ kind: 'directive', name });
    }
  }
  flush();
  return items;
}

function separate(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [[]];
  for (const item of items) {
    if (item.kind === 'directive' && item.name === 'next') parts.push([]);
    else parts.at(-1)!.push(item);
  }
  return parts;
}

const ESCAPES: Readonly<Record<string, string>> = {
  r: '\r',
  n: '\n',
  t: '\t',
  '0': '\0',
  '\\': '\\',
};

function unescape(line: string): string {
  // The repeats first: what they repeat may hold escapes itself.
  const repeated = line.replaceAll(/\\\{(\d+) ([^}]*)\}/g, (_all, count: string, text: string) =>
    text.repeat(Number(count)),
  );
  return repeated.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (all: string, ...groups: string[]) => {
    const [hex, letter] = groups;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    const escaped = ESCAPES[letter ?? ''];
    if (escaped === undefined) throw new Error(`unknown escape ${all}`);
    return escaped;
  });
}
