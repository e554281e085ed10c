// Reads answers of the admin API by their schemas, leniently: they come from another process, perhaps
// of another version, or of another program altogether. What is missing or of a wrong kind is
// undefined, what is new is left out, and text cannot steer a terminal. Never throws for any JSON.

import type { z } from 'zod';
import { unreachable } from '../../base/assert.ts';
import type { TargetStatus } from '../../api/status-answer.ts';
import { visibleText } from '../../base/visible-text.ts';

declare const unknownWord: unique symbol;

/** A word where this version knows a few others: it can be shown, and equals none of them. */
interface UnknownWord {
  readonly [unknownWord]: true;
  toString(): string;
}

/**
 * `T` as any server may answer it. Values may be undefined and words unknown; lists and objects are
 * always there, empty where the answer has none. What may be null may also be missing.
 */
export type Lenient<T> = null extends T ? Part<NonNullable<T>> | null : Part<T>;

type Part<T> = [T] extends [boolean]
  ? boolean | undefined
  : [T] extends [number]
    ? number | undefined
    : [T] extends [string]
      ? (string extends T ? string : T | UnknownWord) | undefined
      : [T] extends [readonly (infer Item)[]]
        ? readonly Exclude<Lenient<Item>, undefined>[]
        : { readonly [Key in keyof T as string extends Key ? never : Key]: Lenient<T[Key]> };

/** Returns `document` as `schema` has it, as far as it does. */
export function readLeniently<T>(schema: z.ZodType<T>, document: unknown): Lenient<T> {
  // The walk below follows the schema just as the type follows `T`.
  return partOf(schema, document) as Lenient<T>;
}

function partOf(schema: z.core.$ZodType, value: unknown): unknown {
  const { def } = schema as AnswerSchema;
  switch (def.type) {
    case 'object':
      return objectOf(def.shape, value);
    case 'record':
      return objectOf({}, value); // The names in it are unknown here: it is for scripts alone.
    case 'array': {
      const items = Array.isArray(value) ? (value as unknown[]) : [];
      // An object is always read as one, so what is none is left out before.
      const usable = isObjectSchema(def.element) ? items.filter(isObject) : items;
      return usable.map((item) => partOf(def.element, item)).filter((item) => item !== undefined);
    }
    case 'nullable':
      return nullableOf(def.innerType, value);
    case 'optional':
      return value === undefined ? undefined : partOf(def.innerType, value);
    case 'union':
      return partOf(optionOf(def.options, value), value);
    case 'number':
      return typeof value === 'number' ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'string':
    case 'enum':
    case 'literal':
      return typeof value === 'string' ? visibleText(value) : undefined;
    default:
      return unreachable(def);
  }
}

/** The schemas of which answers are made; a test reads all answers and finds any other. */
export type AnswerSchema =
  | z.ZodObject
  | z.ZodRecord
  | z.ZodArray
  | z.ZodNullable
  | z.ZodOptional
  | z.ZodUnion
  | z.ZodNumber
  | z.ZodBoolean
  | z.ZodString
  | z.ZodEnum
  | z.ZodLiteral;

/** Returns the kind of answer that `value` is: the one of which it has every field. */
function optionOf(options: readonly z.core.$ZodType[], value: unknown): z.core.$ZodType {
  const given = isObject(value) ? value : {};
  const fits = (option: z.core.$ZodType): boolean => {
    const { def } = option as AnswerSchema;
    if (def.type !== 'object') return false;
    return Object.entries(def.shape).every(([key, part]) => key in given || isOptional(part));
  };
  return options.find(fits) ?? options[0]!;
}

function isOptional(schema: z.core.$ZodType): boolean {
  return (schema as AnswerSchema).def.type === 'optional';
}

function nullableOf(inner: z.core.$ZodType, value: unknown): unknown {
  const isThere = isObjectSchema(inner) ? isObject(value) : value !== null;
  return isThere ? partOf(inner, value) : null;
}

function isObjectSchema(schema: z.core.$ZodType): boolean {
  return (schema as AnswerSchema).def.type === 'object';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What each object was read from. */
const DOCUMENTS = new WeakMap<object, unknown>();

function objectOf(shape: z.core.$ZodShape, value: unknown): object {
  const given = isObject(value) ? new Map(Object.entries(value)) : new Map<string, unknown>();
  const object = Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, partOf(schema, given.get(key))]),
  );
  DOCUMENTS.set(object, value);
  return object;
}

/** Returns what an object of an answer was read from, as it came: for scripts. */
export function documentOf(part: unknown): unknown {
  const isRead = typeof part === 'object' && part !== null && DOCUMENTS.has(part);
  return isRead ? DOCUMENTS.get(part) : part;
}

/** Returns a value of an answer for a person; `-` where there is none. */
export function shown(value: string | number | boolean | UnknownWord | null | undefined): string {
  return value === undefined || value === null || value === '' ? '-' : String(value);
}

/** Returns a target as a person writes it; of a name, one of its addresses behind it. */
export function targetText({ url, address }: Lenient<TargetStatus>): string {
  return typeof address === 'string' && address !== '' ? `${shown(url)} (${address})` : shown(url);
}
