// Passes TAP through and ends with one line: "N passed, N failed, N skipped".
import { Transform, type TransformCallback } from 'node:stream';

export default class Counts extends Transform {
  #rest = '';
  #total = '';

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    const lines = (this.#rest + String(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('# { total:')) this.#total = line;
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const count = (key: string): number =>
      Number(new RegExp(`${key}: (\\d+)`).exec(this.#total)?.[1] ?? 0);
    done(null, `${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped\n`);
  }
}
