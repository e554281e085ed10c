// The program of one order: started by order-run.ts, it gets the order on its channel, tells there what
// it does, and ends with the order, or with the process that started it. It is a process of its own
// because its libraries need a second and 40 MB, once in two months.

import { problemOf } from './authority-answer.ts';
import type { LastAnswer } from './authority-client.ts';
import { carryOut, type OrderHands } from './order-protocol.ts';
import type { FromProgram, OrderBrief, OrderStep, ToProgram } from './order-messages.ts';

const last: LastAnswer = { failure: undefined };
let at: OrderStep = 'directory';
let answering = (): void => {};

process.on('disconnect', () => process.exit());
process.on('message', (message: ToProgram) => {
  if (message.kind === 'answering') answering();
  else void run(message.brief);
});

const hands: OrderHands = {
  step(step) {
    at = step;
    tell({ kind: 'step', step });
  },
  account: (url) => tell({ kind: 'account', url }),
  async answering(challenge) {
    const { promise, resolve } = Promise.withResolvers<void>();
    answering = resolve;
    tell({ kind: 'challenge', challenge });
    await promise;
  },
};

async function run(brief: OrderBrief): Promise<void> {
  try {
    const issued = await carryOut(brief, hands, last);
    tell({ kind: 'obtained', ...issued }, end);
  } catch (error) {
    tell(
      {
        kind: 'failed',
        problem: problemOf(error, { step: at, challenge: brief.challenge }, last.failure),
      },
      end,
    );
  }
}

function tell(news: FromProgram, then = (): void => {}): void {
  process.send?.(news, then);
}

function end(): void {
  process.disconnect();
}
