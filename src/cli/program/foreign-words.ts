// Words that other tools have for what is done here: a person who types one is told ours.

const SWITCH = '`turnout switch green` moves the traffic, `turnout deploy` brings out a release';
const ROLLBACK = '`turnout rollback` takes the last switch back';
const LOOK = '`turnout status` shows what is active, `turnout deployments` what is kept';
const RUN = '`turnout run` is the proxy, in the foreground';
const STOP =
  'SIGTERM or Ctrl-C stops `turnout run` in order; `turnout upgrade` takes a new version';
const WAIT =
  '`turnout hold` lets requests wait, `turnout freeze` stops all switching, `turnout maintenance on` answers 503';
const GO_ON =
  '`turnout resume` lets requests go on, `turnout unfreeze` lets switching go on, `turnout maintenance off`';
const CALL_OFF =
  '`turnout resume` calls off a switch that holds requests; `turnout rollback` takes a switch back';
const CHECK =
  '`turnout status --check` is for monitoring, `turnout ready` for containers, `turnout config check FILE` for files';
const LOG =
  '`turnout history` lists switches, `turnout audit` every change; the log is on standard output';

export const FOREIGN_WORDS: Readonly<Record<string, string>> = {
  promote: SWITCH,
  cutover: SWITCH,
  flip: SWITCH,
  swap: SWITCH,
  toggle: SWITCH,
  activate: SWITCH,
  route: SWITCH,
  undo: ROLLBACK,
  revert: ROLLBACK,
  back: ROLLBACK,
  abort: CALL_OFF,
  cancel: CALL_OFF,
  pause: WAIT,
  unpause: GO_ON,
  continue: GO_ON,
  list: LOOK,
  ls: LOOK,
  ps: LOOK,
  get: LOOK,
  show: LOOK,
  describe: LOOK,
  info: LOOK,
  start: RUN,
  serve: RUN,
  up: RUN,
  stop: STOP,
  down: STOP,
  kill: STOP,
  restart: STOP,
  health: CHECK,
  healthcheck: CHECK,
  check: CHECK,
  validate: CHECK,
  log: LOG,
  logs: LOG,
  version: '`turnout --version` prints it',
  wait: '`turnout drain --wait` waits until an old deployment may be stopped',
  remove:
    '`turnout drain --evict` ends what drains; a deployment goes by itself when it is not kept any more',
  register: '`turnout deploy RELEASE --targets URL --no-switch` registers a release and no more',
  add: '`turnout scale --add URL` adds targets, `turnout deploy RELEASE --targets URL` a release',
};

/** Returns what is said to a command line that begins with a word of another tool; undefined: it does not. */
export function foreignWord([word = '']: readonly string[]): string | undefined {
  if (!Object.hasOwn(FOREIGN_WORDS, word)) return undefined;
  return `there is no command "${word}": ${FOREIGN_WORDS[word]}`;
}
