// Makes one method of one class of the data plane throw, once: the next call of it, before or after
// it has done its work. Also tells which methods were called, so that a test sees what it reaches.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ByteStream } from '../../../../src/data-plane/transport/byte-stream.ts';
import { ROOT, sourceFiles } from '../../../tidy/source-files.ts';

/** `H1Client.onData`. */
export type MethodName = string;

/** `before`: nothing of it is done; `after`: all of it is. */
export type Moment = 'before' | 'after';

type Method = (this: unknown, ...parameters: unknown[]) => unknown;

interface Class {
  readonly name: string;
  readonly prototype: object;
}

/** Is called by a socket or a timer, or hands on what one of these has told. */
const EVENT = /^on[A-Z]/;

export class MethodFaults {
  readonly called = new Set<MethodName>();
  /** The armed method has thrown. */
  isThrown = false;
  #armed: MethodName | undefined = undefined;
  #moment: Moment = 'before';

  /** Watches every method of `classes`, and how streams begin, for as long as the process lives. */
  constructor(classes: readonly Class[]) {
    for (const method of ['accept', 'connect']) {
      this.#watch(ByteStream, method, `ByteStream.${method}`);
    }
    for (const { name, prototype } of classes) {
      for (const method of methodsOf(prototype))
        this.#watch(prototype, method, `${name}.${method}`);
    }
  }

  /** Lets the next call of `name` throw. */
  arm(name: MethodName, moment: Moment): void {
    this.forget();
    this.#armed = name;
    this.#moment = moment;
  }

  /** Nothing was called and nothing throws. */
  forget(): void {
    this.called.clear();
    this.isThrown = false;
    this.#armed = undefined;
  }

  #watch(prototype: object, method: string, name: MethodName): void {
    const original = Reflect.get(prototype, method) as Method;
    const called = (): void => {
      this.called.add(name);
    };
    const isDue = (): boolean => this.#armed === name;
    const fail = (): never => {
      this.#armed = undefined;
      this.isThrown = true;
      throw new Error(thrownIn(name));
    };
    const isBefore = (): boolean => this.#moment === 'before';
    const watched = function (this: unknown, ...parameters: unknown[]): unknown {
      called();
      if (isDue() && isBefore()) return fail();
      const result = original.apply(this, parameters);
      return isDue() ? fail() : result;
    };
    Reflect.set(prototype, method, watched);
  }
}

export function thrownIn(name: MethodName): string {
  return `thrown in ${name}`;
}

/** Returns every class of the data plane that hears events, and those in `more`. */
export async function eventClasses(more: readonly string[]): Promise<Class[]> {
  const found: Class[] = [];
  for (const { path } of sourceFiles('src/data-plane')) {
    if (path.endsWith('/worker.ts')) continue; // It runs in a worker thread only.
    const exported = (await import(pathToFileURL(join(ROOT, path)).href)) as Record<
      string,
      unknown
    >;
    for (const one of Object.values(exported)) {
      if (!isClass(one)) continue;
      if (more.includes(one.name) || methodsOf(one.prototype).some(isEvent)) found.push(one);
    }
  }
  return found;
}

/** Names of the methods of a class, accessors left out. */
export function methodsOf(prototype: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name);
}

/** `onFault` is no event: it is where what is thrown in all others goes. */
export function isEvent(method: string): boolean {
  return EVENT.test(method) && method !== 'onFault';
}

function isClass(value: unknown): value is Class {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}
