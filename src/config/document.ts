// YAML text → plain data, and where in the text each part of it stands. Refuses what a
// configuration never needs and an attacker might: deep nesting, alias bombs, odd keys.

import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type Node,
  type Pair,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { quote } from '../base/parsed.ts';

/** Levels of mappings and lists; the table of settings has five. */
export const DEPTH_MAX = 32;
/** Aliases that may be resolved; the example for one service uses none. */
export const ALIASES_MAX = 100;

interface Place {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}

interface TextFault extends Place {
  readonly message: string;
}

export type ReadText =
  | { readonly ok: true; readonly raw: unknown; readonly placeOf: PlaceOf }
  | { readonly ok: false; readonly faults: readonly TextFault[] };

/** Returns where the key or value at `path` stands, or what is nearest above it. */
export type PlaceOf = (path: readonly (string | number)[], at: 'key' | 'value') => Place;

/** Returns the data in `text`, or every fault of its form. Never throws. */
export function readYaml(text: string): ReadText {
  const counter = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refused = (offset: number, message: string): ReadText => ({
    ok: false,
    faults: [{ ...place(offset), message }],
  });

  const tokens = [...new Parser(counter.addNewLine).parse(text)];
  // Before composing, which recurses and would take minutes for `? ? ? ?…`.
  const tooDeep = firstTooDeep(tokens);
  if (tooDeep !== undefined) return refused(tooDeep, `nested deeper than ${DEPTH_MAX} levels`);

  // Keys are compared below with a set; the library would compare each with each.
  const composer = new Composer({ uniqueKeys: false, logLevel: 'error' });
  const documents = [...composer.compose(tokens, true, text.length)];
  const [document, second] = documents;
  if (document === undefined) return { ok: true, raw: null, placeOf: () => place(0) };
  const faults = [
    ...[...document.errors, ...document.warnings].map((error) => formFault(error, place)),
    ...contentFaults(document, place),
  ];
  if (second !== undefined) {
    const message = 'expected one document, got a second one after ---';
    faults.push({ ...place(second.range[0]), message });
  }
  if (faults.length > 0) return { ok: false, faults };
  const raw = plainData(document);
  if (!raw.ok) return refused(0, raw.problem);
  const children = new Children(document);
  return { ok: true, raw: raw.value, placeOf: (path, at) => place(offsetOf(children, path, at)) };
}

/** Returns the offset of the first token below DEPTH_MAX levels. Does not recurse itself. */
function firstTooDeep(tokens: readonly CST.Token[]): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [];
  for (const token of tokens) open.push({ token, depth: 0 });
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > DEPTH_MAX) return token.offset;
    if (token.type === 'document') {
      if (token.value !== undefined) open.push({ token: token.value, depth });
    } else if ('items' in token) {
      for (const { key, value } of token.items) {
        if (key !== undefined && key !== null) open.push({ token: key, depth: depth + 1 });
        if (value !== undefined) open.push({ token: value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

function formFault(error: YAMLError, place: (offset: number) => Place): TextFault {
  // Messages of the library may quote the text; the first line, without quotes, is enough.
  const message = error.message.split('\n')[0]!.split(': ')[0]!;
  return { ...place(error.pos[0]), message: `not valid YAML (${message})` };
}

/** Keys must be plain words and stand once in their mapping; aliases must stand for something. */
function contentFaults(document: Document, place: (offset: number) => Place): TextFault[] {
  const faults: TextFault[] = [];
  let aliasCount = 0;
  const visit = (node: unknown): void => {
    if (isSeq(node)) for (const item of node.items) visit(item);
    // Each look-up reads the document from its start, so only so many are looked up.
    if (isAlias(node) && ++aliasCount <= ALIASES_MAX && node.resolve(document) === undefined) {
      const at = place(startOf(node) ?? 0);
      faults.push({ ...at, message: 'expected an alias of an anchor above it, got none there' });
    }
    if (!isMap(node)) return;
    const seen = new Set<string>();
    for (const pair of node.items) {
      const key = keyOf(pair);
      const at = place(startOf(pair.key as Node | null) ?? startOf(node) ?? 0);
      if (key === undefined) faults.push({ ...at, message: 'expected a plain word as key' });
      else if (seen.has(key)) {
        faults.push({ ...at, message: `expected each key once, got ${quote(key)} again` });
      } else seen.add(key);
      visit(pair.value);
    }
  };
  visit(document.contents);
  if (aliasCount > ALIASES_MAX) faults.push({ ...place(0), message: TOO_MANY_ALIASES });
  return faults;
}

const TOO_MANY_ALIASES = `expected at most ${ALIASES_MAX} aliases, got more`;

function plainData(
  document: Document,
):
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string } {
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown };
  } catch {
    // What is left to throw: aliases that multiply. The message may quote the text.
    return { ok: false, problem: TOO_MANY_ALIASES };
  }
}

function offsetOf(
  children: Children,
  path: readonly (string | number)[],
  at: 'key' | 'value',
): number {
  let node: Node | null = children.root;
  let offset = startOf(node) ?? 0;
  for (const [depth, key] of path.entries()) {
    const child = children.of(node, key);
    if (child === undefined) return offset;
    const wantsKey = depth === path.length - 1 && at === 'key';
    const begins = wantsKey ? startOf(child.key) : startOf(child.value);
    offset = begins ?? startOf(child.key) ?? offset;
    node = child.value;
  }
  return offset;
}

interface Child {
  readonly key: Node | null;
  readonly value: Node | null;
}

/** The tree below a document. Remembers the keys of a mapping: a file may have many faults. */
class Children {
  readonly root: Node | null;
  readonly #document: Document;
  readonly #keys = new Map<Node, ReadonlyMap<string, Child>>();

  constructor(document: Document) {
    this.#document = document;
    this.root = document.contents;
  }

  of(parent: Node | null, key: string | number): Child | undefined {
    const node = isAlias(parent) ? (parent.resolve(this.#document) ?? null) : parent;
    if (isMap(node)) return this.#keysOf(node).get(String(key));
    if (!isSeq(node) || typeof key !== 'number' || key >= node.items.length) return undefined;
    return { key: null, value: node.items[key] as Node | null };
  }

  #keysOf(node: YAMLMap): ReadonlyMap<string, Child> {
    const known = this.#keys.get(node);
    if (known !== undefined) return known;
    const keys = new Map(
      node.items.map((pair): [string, Child] => {
        const child = { key: pair.key as Node | null, value: pair.value as Node | null };
        return [keyOf(pair) ?? '', child];
      }),
    );
    this.#keys.set(node, keys);
    return keys;
  }
}

function keyOf(pair: Pair): string | undefined {
  if (!isScalar(pair.key)) return undefined;
  const { value } = pair.key;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  // An empty key is null, and stands for the empty word.
  return value === null ? '' : undefined;
}

function startOf(node: Node | null | undefined): number | undefined {
  return node?.range?.[0];
}
