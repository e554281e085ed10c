// Pure: what an event says to people, as one sentence: for views of rollouts and for those who follow events.

type Data = Readonly<Record<string, unknown>>;

/** Returns what happened, without its kind: `smoke fail after 3 tries: GET /cart: expected 200`. */
export function eventSentence(kind: string, data: Data): string {
  const said = textOf(data, 'text') ?? textOf(data, 'reason') ?? textOf(data, 'detail');
  switch (kind) {
    case 'rollout.stage':
      return joined(textOf(data, 'stage'), said);
    case 'rollout.waiting': {
      const gate = textOf(data, 'gate');
      const what = textOf(data, 'for') ?? '';
      return gate === undefined ? what : `${what} (${gate})`;
    }
    case 'rollout.hurried':
      return joined(textOf(data, 'what'), said);
    case 'rollout.point-of-no-return':
      return joined(data['on'] === true ? 'on' : 'off', said);
    case 'rollout.blocked':
    case 'guard.blocked':
      return joined(textOf(data, 'why'), textOf(data, 'detail') ?? said);
    case 'gate.result': {
      const tries = Number(data['tries']) > 1 ? ` after ${Number(data['tries'])} tries` : '';
      const result = `${textOf(data, 'gate') ?? ''} ${textOf(data, 'verdict') ?? ''}${tries}`;
      return joined(result.trim(), said);
    }
    case 'switch': {
      const isBack = data['outcome'] === 'rolled-back';
      return `${isBack ? 'back to' : 'to'} ${placeOf(data)}`;
    }
    case 'drain.started':
    case 'drain.ended':
    case 'drain.safe':
      return drainOf(data);
    case 'guard.verdict':
      return joined(textOf(data, 'verdict'), said);
    case 'release.registered':
      return `deployment ${word(data, 'deployment')}, ${placeOf(data)}`;
    case 'health.changed':
      return healthSentence(data, said);
    case 'freeze':
      return freezeSentence(data, said);
    case 'scheduled.ordered':
    case 'scheduled.done':
    case 'scheduled.refused':
    case 'scheduled.failed':
    case 'scheduled.expired':
    case 'scheduled.cancelled': {
      const release = textOf(data, 'release') ?? `deployment ${word(data, 'deployment')}`;
      const order = `${word(data, 'order')}, to ${release} at ${word(data, 'at')}`;
      return joined(order, said);
    }
    default:
      return said ?? '';
  }
}

function healthSentence(data: Data, said: string | undefined): string {
  const more = Number(data['targets']);
  if (more > 0) return `${more} more targets have changed`;
  const target = `${word(data, 'target')} (${word(data, 'color')})`;
  return joined(`${target} was ${word(data, 'from')} and is ${word(data, 'to')}`, said);
}

function freezeSentence(data: Data, said: string | undefined): string {
  const window = textOf(data, 'window');
  const isOn = data['on'] === true;
  if (window === undefined) return joined(isOn ? 'switching is frozen' : 'switching goes on', said);
  const until = isOn ? ` until ${word(data, 'until')}` : '';
  return joined(`window ${window} ${isOn ? 'has begun' : 'has ended'}${until}`, said);
}

/** A deployment, or the targets that leave it. */
function drainOf(data: Data): string {
  const { targets } = data;
  if (data['scope'] !== 'targets' || !Array.isArray(targets)) return placeOf(data);
  return `${targets.map(String).join(', ')} of ${placeOf(data)}`;
}

/** Never nothing: `-` where there is none. */
function word(data: Data, name: string): string {
  const value = data[name];
  return typeof value === 'number' ? String(value) : (textOf(data, name) ?? '-');
}

function placeOf(data: Data): string {
  const color = textOf(data, 'color');
  const release = textOf(data, 'release');
  return [release, color].filter((text) => text !== undefined).join(' on ');
}

function joined(first: string | undefined, more: string | undefined): string {
  return [first, more].filter((text) => text !== undefined).join(': ');
}

/** An empty text says nothing. */
function textOf(data: Data, name: string): string | undefined {
  const value = data[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
