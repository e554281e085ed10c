// A rollout that is drawn in place while it goes on, with keys that steer it. What a key does is a
// call like any other; leaving the screen changes nothing.

import { rolloutView, type RolloutView } from '../../api/rollout-views.ts';
import { shown, type Lenient } from '../client/answer.ts';
import { askQuietly, troubleText, type ClientFlags } from '../client/client-command.ts';
import { liveScreen } from '../terminal/live.ts';
import { styled, type Terminal } from '../terminal/print.ts';
import { followRollout, type Followed, type Following } from './rollout-follow.ts';
import { rolloutText } from '../texts/rollout-text.ts';

type View = Lenient<RolloutView>;

/** What the keys do, in the order in which they are shown. */
interface Key {
  readonly key: string;
  readonly word: string;
  /** Path of the call. */
  readonly act: string;
  /** It takes traffic somewhere: a second key says yes. */
  readonly question?: string;
  /** Made only while the rollout is as it was shown. */
  readonly isBound: boolean;
}

/** Returns the keys that do something as a rollout is now. */
function keysFor({ end, stage, status }: View): readonly Key[] {
  if (end !== null) return [];
  const isBefore = ['registered', 'warming', 'testing', 'gated'].includes(String(stage));
  const isMoving = stage === 'shifting' || stage === 'baking';
  const keys: Key[] = [];
  const isPaused = status.kind === 'paused' || status.for === 'plan';
  if (status.kind === 'waiting' && !isPaused) {
    keys.push({ key: 'a', word: 'approve', act: 'approve', isBound: true });
  }
  if (isPaused) {
    keys.push({ key: 'p', word: 'resume', act: 'resume', isBound: false });
  } else if (isMoving || stage === 'gated') {
    keys.push({ key: 'p', word: 'pause', act: 'pause', isBound: false });
  }
  if (stage === 'shifting') {
    const question = 'go to the next step without the rest of this one?';
    keys.push({ key: 's', word: 'skip', act: 'skip', question, isBound: true });
  }
  if (isMoving || isBefore) {
    const question = isMoving ? 'take the traffic back?' : 'end it?';
    keys.push({ key: 'x', word: 'abort', act: 'abort', question, isBound: false });
  }
  return keys;
}

const CTRL_C = '\u0003';
const CTRL_Z = '\u001A';

/** Draws a rollout until it is as far as was asked for, or a person leaves. */
export async function drawRollout(
  terminal: Terminal,
  flags: ClientFlags,
  following: Omit<Following, 'stepMs'>,
): Promise<Followed> {
  const leaving = new AbortController();
  let view: View | undefined;
  let trouble: readonly string[] = [];
  let said = '';
  let asked: Key | undefined;
  let screen = liveScreen(terminal);
  let endKeys: (() => void) | undefined;
  const draw = (): void => {
    if (view === undefined) return;
    const lines = trouble.map((line) => styled(terminal, 'red', line));
    screen.show(
      [...lines, rolloutText(terminal, view)].join('\n'),
      footOf(terminal, view, { asked, said }),
    );
  };
  const act = async (key: Key, at: View): Promise<void> => {
    said = `${key.word} ${terminal.signs.ellipsis}`;
    draw();
    const heard = await askQuietly(terminal, flags, {
      method: 'POST',
      path: `/v1/rollouts/${encodeURIComponent(shown(at.id))}/${key.act}`,
      body: {},
      answer: rolloutView,
      ...(key.isBound && at.event !== undefined ? { ifMatch: at.event } : {}),
    });
    said = heard.ok ? `${key.word}: done` : troubleText(heard.trouble).join('; ');
    if (heard.ok) view = heard.answer;
    draw();
  };
  const onKey = (key: string): void => {
    if (key === CTRL_C || (key === 'q' && asked === undefined)) return leaving.abort();
    if (key === CTRL_Z) return onStop();
    if (view === undefined) return;
    const wanted = asked ?? keysFor(view).find((one) => one.key === key);
    const isYes = asked === undefined ? wanted?.question === undefined : /^y$/i.test(key);
    const isAsking = asked === undefined && wanted?.question !== undefined;
    asked = isAsking ? wanted : undefined;
    said = '';
    if (wanted !== undefined && isYes) void act(wanted, view);
    else draw();
  };
  const begin = (): void => {
    endKeys = terminal.keys?.(onKey);
  };
  const stop = (): void => {
    endKeys?.();
    screen.end();
  };
  const onStop = (): void => {
    stop();
    terminal.suspend();
  };
  const onContinue = (): void => {
    screen = liveScreen(terminal);
    begin();
    draw();
  };
  const endResize = terminal.onResize(draw);
  terminal.signals.on('SIGTSTP', onStop);
  terminal.signals.on('SIGCONT', onContinue);
  begin();
  try {
    return await followRollout(
      terminal,
      flags,
      { ...following, stepMs: STEP_MS },
      {
        left: leaving.signal,
        onView(next) {
          view = next;
          trouble = [];
          draw();
        },
        onOutage(lines) {
          trouble = [...lines, 'asking again; last seen:', ''];
          draw();
        },
      },
    );
  } finally {
    endResize();
    terminal.signals.off('SIGTSTP', onStop);
    terminal.signals.off('SIGCONT', onContinue);
    stop();
  }
}

/** Times and evidence on the screen are at most this old. */
const STEP_MS = 1_000;

function footOf(
  terminal: Terminal,
  view: View,
  { asked, said }: { readonly asked: Key | undefined; readonly said: string },
): string {
  if (asked?.question !== undefined) return styled(terminal, 'bold', `${asked.question} [y/N]`);
  const clock = `${new Date(terminal.nowMs()).toISOString().slice(11, 19)}Z`;
  const keys = terminal.keys === undefined ? [] : keysFor(view);
  const leave = terminal.keys === undefined ? 'Ctrl-C leaves it running' : 'q leave it running';
  const words = [...keys.map(({ key, word }) => `${key} ${word}`), leave].join('   ');
  const told = said === '' ? '' : `   ${said}`;
  return styled(terminal, 'dim', `${clock}   ${words}${told}`);
}
