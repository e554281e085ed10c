// When a client that has ended its side counts as gone.

import t from 'tap';
import { HALF_CLOSED_LOOKS, HALF_CLOSE_WITHIN_MS } from '../../../../src/base/limits.ts';
import { HalfClosed } from '../../../../src/data-plane/clients/half-closed.ts';

class Scene {
  elapsed = 0;
  isGone = false;
  asked = 0;
  stream: undefined = undefined;
  readonly request = { isDone: true };
  readonly response = { bytes: 0 };
  readonly output = { isFlushed: true };

  elapsedMs(): number {
    return this.elapsed;
  }

  clientGone(): void {
    this.isGone = true;
  }

  lookAfter(): void {
    this.asked++;
  }

  /** Returns after how many looks the client counts as gone; undefined: not within 100. */
  looksUntilGone(beforeEach: (look: number) => void = () => {}): number | undefined {
    const client = new HalfClosed(this, this);
    for (let look = 1; look <= 100; look++) {
      if (this.isGone) return look;
      beforeEach(look);
      client.look();
    }
    return undefined;
  }
}

await t.test(
  'an end that comes with the request is half-closing: it gets all the time',
  async (t) => {
    const scene = new Scene();
    scene.elapsed = HALF_CLOSE_WITHIN_MS;
    t.equal(scene.looksUntilGone(), undefined);
    t.equal(scene.asked, 101, 'a reset is looked for all the same');
  },
);

await t.test(
  'one that comes later is a client that has left, after a moment of silence',
  async (t) => {
    const scene = new Scene();
    scene.elapsed = HALF_CLOSE_WITHIN_MS + 1;
    t.equal(scene.looksUntilGone(), HALF_CLOSED_LOOKS);
  },
);

await t.test('as long as bytes flow to it, or wait for it, it is there', async (t) => {
  const flowing = new Scene();
  flowing.elapsed = 10_000;
  t.equal(
    flowing.looksUntilGone((look) => (flowing.response.bytes = look)),
    undefined,
  );
  const slow = new Scene();
  slow.elapsed = 10_000;
  slow.output.isFlushed = false;
  t.equal(slow.looksUntilGone(), undefined, 'the time of a client that does not read is another');
  const paused = new Scene();
  paused.elapsed = 10_000;
  const until = paused.looksUntilGone((look) => (paused.response.bytes = Math.min(look, 20)));
  t.equal(until, 20 + HALF_CLOSED_LOOKS + 1);
});

await t.test('an upload that is cut gets no response', async (t) => {
  const scene = new Scene();
  scene.request.isDone = false;
  t.equal(scene.looksUntilGone(), 1);
});
