// What the help says beyond the table of commands: a few sentences and examples for each command,
// by the words that call it. A test runs every example against the table.

/** Paragraphs. */
export const EXPLANATIONS: Readonly<Record<string, readonly string[]>> = {
  turnout: [
    'Stands in front of two environments, blue and green, and sends all traffic to the active one.',
    '`turnout run` is the proxy; all other commands ask its admin API, by default at 127.0.0.1:8081.',
    'Every command takes --json for scripts; NO_COLOR=1 turns colors off, LC_ALL=C signs beyond ASCII.',
  ],
  'turnout run': [
    'Every setting of docs/settings.md is a flag too: --health-path, --client-head-size and so on. A flag wins over its variable, a variable over the file.',
    'The first SIGTERM or Ctrl-C stops in order, the second cuts.',
  ],
  'turnout demo': ['Everything it makes is temporary; nothing is left behind.'],
  'turnout status': [
    'Begins with what is wrong, the worst first, and with the command that mends it where there is one.',
    'For each color: release, health, share of the traffic, requests per second, share of 5xx, p50 and p99 of the last minute, and a line of its requests per second. Previews are left out.',
    '--check is for monitoring: it prints that alone, and ends with 0 where all is well, 1 for warnings, 2 where clients of a service get no answer of a target, 3 where that could not be asked.',
  ],
  'turnout history': ['Switches and rollbacks, with who made them, from where, and why.'],
  'turnout events': [
    'One line for each event: switches, drains, health of targets, freezes, and each step of a rollout. With --json one document on each line, with the id that --since takes.',
    'A connection that breaks is made again, and what was missed is told. A server that was started since does not know it any more, and says so.',
  ],
  'turnout active': [
    'For cron jobs and scripts that run on both colors and should act on one. A worker that runs for long asks GET /v1/active for a lease (docs/active.md): this command takes none.',
    'Without --color it tells which one is active, and ends with 0.',
  ],
  'turnout drain': [
    'After a switch, sessions and connections of the deployment before go on for a while. This shows how many are left, and whether its targets may be stopped.',
  ],
  'turnout deployments': [
    'Every registration of a release has a number that is never given twice. Those in use and the last 20 are kept with their targets: `turnout switch` and `turnout rollback` go to any of them, by number or release.',
  ],
  'turnout freezes': [
    'Windows are lines of `freezes` in the configuration, of all services or of one; times are those of the zone they name, summer time included.',
    'While one is in force, a switch is refused (2) unless --force with a --reason. A rollback and a failover go through.',
  ],
  'turnout preview': [
    'A request with the token is answered by that deployment; such requests are marked and never judged. A link ends with its time, with --revoke, and once the deployment has drained; it never opens a release that is locked out.',
  ],
  'turnout ready': [
    'Made for the health check of a container. Ready means: this process takes traffic, from the moment its listeners are open until a stop begins.',
    'It says nothing of targets. A proxy that leaves its balancer because an app is down turns an error page into no answer at all, on all instances at once. `turnout status --check` is there for that.',
  ],
  'turnout deploy': [
    'Registers the release on the idle color, waits until all its targets are healthy, and switches. If they do not get healthy in time, traffic stays where it is and the exit code is 1.',
    'Refused (2) where another release has one of the addresses. --evict takes them over from what is idle or drains, and no rollback goes there any more.',
    'On a terminal it shows the plan and asks before it switches; --yes skips that, and so does a script.',
    'With --plan, --bake or --guard it is a rollout, which the server carries out: see `turnout rollout`. --dry-run shows its steps and all that would refuse it.',
    '--no-switch ends after the registration, with --wait once it is healthy: `turnout preview` shows it, `turnout switch` brings it the traffic.',
    '--schema-provides and --schema-requires say what its migrations bring and what its code works with: a later switch or rollback to code that does not fit the data is refused (2).',
  ],
  'turnout switch': [
    'Goes to a color, to a release by its id, or to a deployment by its number: `turnout deployments` lists them. One that no color has is asked first, and comes to the idle color.',
    'On a terminal it shows the plan and asks; --yes skips that, and so does a script. If something that the plan shows has changed when you answer, you are asked again.',
    'Without a destination it goes to the other color. A script has to name it (64): two that react to one alarm would switch to and fro. Whatever changes between the look and the switch refuses it (2).',
    'With --plan it moves in steps, with --bake and --guard it is watched afterwards; `turnout rollout` shows that, and --wait ends with it.',
    'Refused (2) while its targets are not healthy, unless --force with a --reason. --wait ends when the deployment before needs its targets no more.',
  ],
  'turnout scheduled': [
    'What becomes active is the deployment that was meant when the switch was ordered: another release that was registered there since refuses it.',
    'When it is due, all is checked as always (health, freezes, lock-outs, the token); what came of it stays in this list, in the history and in the audit log.',
    'It survives restarts and upgrades. Where no process ran at its time, it is made within --grace (5m), else not at all.',
  ],
  'turnout scheduled cancel': ['An order that is over can not be taken back: roll back.'],
  'turnout rollback': [
    'Never asks. Goes to the deployment that was active before the last switch, or to a named one that is kept, at any later time, as long as one target of it answers and its addresses belong to no other release.',
    'Sessions of the release that is left go back at once; with --restick new they drain.',
    'The release that is left is locked out: no switch goes to it again, whatever its targets or color, until `turnout unlock`. --no-lock-out leaves that out. A release without a name is never locked out.',
  ],
  'turnout rollout': [
    'A rollout lives in the server: it registers, waits for health and gates, moves traffic in the steps of its plan, watches the release, and takes the traffic back where there is evidence against it. A command that ends changes nothing of that.',
    'Shows the one that goes on, else the last one: each stage with what came of it, what it waits for and until when, when the next step comes, and what the guard has counted on both sides.',
    'With --series it shows what was measured while it had traffic: how much of it went where, what of it went wrong, and the evidence. Kept for the last 20 rollouts; of a long one, the last hour in points of ten seconds.',
    'Without an id, a verb is about the one that goes on; --service names whose where several do.',
  ],
  'turnout rollout watch': [
    'On a terminal it is drawn anew all the time, and keys steer it: a approves, p pauses or resumes, s skips the rest of a step, x aborts, q leaves it running. What moves traffic asks once more.',
    'Elsewhere each event is one line, told once; with --json one document on each line.',
    'Ends with 0 once it is done, with 1 where it failed, was rolled back or overtaken. --until waiting ends as soon as a person has to decide; --until shifted once all traffic has moved; --until baked before the drain. Ctrl-C (130) leaves it running.',
  ],
  'turnout rollout list': ['The last 200 are kept, with how each has ended and why.'],
  'turnout rollout plan': [
    'A plan is a name (all-at-once, canary-10-5m, linear-10-1m, those of CodeDeploy, Lambda and ECS) or steps: "10%:5m, 25%:10m:approve, 50%:pause". With +ramp-30s behind it, each share is reached evenly over that time.',
  ],
  'turnout rollout approve': [
    'Refused (2) where it does not wait for a person, and where a gate wants another actor than the one that started it. What is approved is what this command has seen: where the rollout has moved on meanwhile, it is refused.',
  ],
  'turnout rollout reject': [
    'Before traffic has moved, all stays where it is; after that, it goes back.',
  ],
  'turnout rollout pause': [
    'The clocks of step and bake stand still. The guard goes on, and can roll back.',
  ],
  'turnout rollout resume': ['Also the answer where a step ends with pause.'],
  'turnout rollout skip': [
    'The guard gives no verdict on a step that is skipped, and that is recorded.',
  ],
  'turnout rollout promote': ['All traffic goes to the release now; its bake follows.'],
  'turnout rollout abort': [
    'Never asks: it is the way out. Before traffic has moved, the rollout ends as failed. After that all goes back, the sessions of the release at once, or with --restick new they drain; and the release is locked out until `turnout unlock`.',
  ],
  'turnout rollout point-of-no-return': [
    'For a change of the data that the release before can not read. From then on the guard only tells, and a rollback is refused; `off` takes that back.',
    'At any time: it is about the rollout that goes on; where none does, about the service, and needs --reason then. On a terminal `off` tells what was said and asks, since the release before may answer wrongly after a rollback; --yes skips that, and so does a script.',
  ],
  'turnout rollout schema': [
    'Releases raise the schema of the data as they get traffic, and nothing lowers it. Where the data were set back beside Turnout, as by the restore of a backup, say so: releases from then fit again. On a terminal a lower one is asked about; --yes skips that, and so does a script.',
  ],
  'turnout scale': [
    'Some targets come, some go, at least one stays: it is the same deployment, and no session moves. What comes gets traffic once it has passed a check. What goes gets no new request; requests there finish, tunnels and event streams are closed as drain.longLived says. `turnout drain --wait` tells when it may be stopped.',
    'Allowed while switching is frozen. Refused (2) where no target would stay: that is a release of its own, see `turnout deploy`.',
  ],
  'turnout apply': [
    'The file declares, for one service or under services: for several, which color is active, and release and targets of blue and green. What it leaves out stays as it is. A release is put on the idle color, gets healthy, then gets the traffic.',
    'Applied again it does nothing (0). Whatever the file declares is checked before the first step; if a step is refused, it says what was made and what was not. docs/apply.md has an example.',
  ],
  'turnout unlock': [
    'A rollback locks out the release that it leaves, so that no script brings it back. This takes that back.',
  ],
  'turnout freeze': [
    'Switches and failovers are refused until `turnout unfreeze`, also after a restart. Registrations, drains, holds and maintenance go on, and so does a rollback with --force and --reason.',
  ],
  'turnout unfreeze': [
    'From then on switches are made again; what was refused is not made up for.',
  ],
  'turnout hold': ['Requests wait in the proxy instead of failing, bounded in number, size, time.'],
  'turnout resume': ['Ends a hold; the requests that wait go on in the order they came.'],
  'turnout maintenance': [
    'The health path still answers, so that no balancer takes the proxy for dead.',
  ],
  'turnout token create': [
    'Needed where the admin API can be reached from other machines. The text of the token goes to standard output, this once; only its hash is stored. For the first one, which nobody could ask for, use --state while no server runs.',
  ],
  'turnout token list': ['Names, roles, services and ends; never a secret.'],
  'turnout token revoke': ['From then on it opens nothing, on no connection.'],
  'turnout audit': [
    'Every change and every refused call, with who made it and from where. Each entry seals the one before; --verify checks that.',
    'A program that can write the state file can write a new log. So keep the head that --verify prints in another place, and give it with --head the next time: a log that was cut, replaced or set back does not lead to it.',
  ],
  'turnout reload': [
    'File, variables and flags are read as at the start. All of it comes into force at once, or nothing: a fault, or an address that is taken, leaves everything as it was. SIGHUP does the same, and so does a change of the file, unless watch is false.',
    'state.dir, workers, resolve.servers and what is under admin belong to a process for its life: `turnout upgrade` takes them over.',
  ],
  'turnout upgrade': [
    'The program on the disk takes the listening sockets over; no client is refused or cut. If it does not start, the one that runs stays in charge.',
  ],
  'turnout config check': ['All faults at once, each with its line.'],
  'turnout completion': ['Completes commands, options and their values.'],
};

type Example = readonly [line: string, what: string];

export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  turnout: [
    ['turnout demo', 'try it in a minute'],
    ['turnout run --blue http://127.0.0.1:3001 --green http://127.0.0.1:3002', 'run it'],
    ['turnout status --watch', 'see what goes on'],
    ['turnout deploy v42 --targets http://10.0.0.5:3000 --wait', 'bring out a release'],
    ['turnout rollback', 'the way back'],
    ['turnout help switch', 'all about one command'],
  ],
  'turnout run': [
    ['turnout run --blue http://127.0.0.1:3001 --green http://127.0.0.1:3002', 'without a file'],
    ['turnout run --config /etc/turnout.yaml --log-level debug', 'with one'],
  ],
  'turnout demo': [['turnout demo --listen 127.0.0.1:9000', 'on a port of your choice']],
  'turnout status': [
    ['turnout status', 'at a glance'],
    ['turnout status --watch --interval 2s', 'all the time'],
    ['turnout status --json', 'for scripts'],
    ['turnout status --check', 'for monitoring'],
  ],
  'turnout history': [['turnout history --limit 5 --service shop', 'the latest of one service']],
  'turnout events': [
    ['turnout events --service shop', 'what happens to one service'],
    ['turnout events --json', 'for scripts'],
  ],
  'turnout active': [
    ['turnout active --service shop --color blue', 'may this side act? The exit code says so'],
    ['turnout active --color green --wait 10m', 'wait for the switch'],
  ],
  'turnout drain': [
    ['turnout drain --wait --timeout 30m', 'wait before the old targets are stopped'],
    ['turnout drain --evict --reason "disk full"', 'end it now'],
  ],
  'turnout scheduled': [
    ['turnout scheduled --service shop', 'what is to come, and what became of it'],
  ],
  'turnout scheduled cancel': [
    ['turnout scheduled cancel s-12 --reason "not tonight"', 'it is not made'],
  ],
  'turnout freezes': [['turnout freezes --service shop', 'may it be switched now?']],
  'turnout deployments': [['turnout deployments --service shop', 'what can be gone back to']],
  'turnout preview': [
    ['turnout preview --for 2h', 'look before you switch'],
    ['turnout preview v41 --lasting', 'a link to one release'],
    ['turnout preview v41 --revoke', 'the end of all its links'],
  ],
  'turnout ready': [['turnout ready --admin unix:/run/turnout/admin.sock', 'over a socket']],
  'turnout deploy': [
    ['turnout deploy v42 --targets http://10.0.0.5:3000,http://10.0.0.6:3000', 'ask, then switch'],
    [
      'turnout deploy v42 --targets http://10.0.0.5:3000 --no-switch --wait',
      'try it before it is live',
    ],
    [
      'turnout deploy v42 --targets http://10.0.0.5:3000 --plan canary-10-5m --wait',
      'in steps, watched',
    ],
    ['turnout deploy "$SHA" --targets "$URL" --yes --wait --json', 'in a pipeline'],
  ],
  'turnout switch': [
    ['turnout switch green', 'show the plan, ask, switch'],
    ['turnout switch v42', 'a release, on whichever color it is'],
    ['turnout switch green --yes --wait --timeout 30m', 'in a pipeline; wait for the drain'],
    ['turnout switch green --dry-run', 'what would happen, or refuse it'],
    ['turnout switch blue --force --reason "blue is better than nothing"', 'override health'],
    ['turnout switch green --plan "10%:5m, 50%:approve" --bake 10m', 'in steps, watched'],
    ['turnout switch green --hold 10s', 'two versions never run side by side'],
  ],
  'turnout rollback': [
    ['turnout rollback --reason "errors at checkout"', 'at three in the morning'],
    ['turnout rollback v41', 'to a release before that one'],
    ['turnout rollback --no-lock-out --reason "database is slow"', 'the release is not at fault'],
    ['turnout rollback --force --reason "it burns"', 'in spite of health or a freeze'],
  ],
  'turnout rollout': [
    ['turnout rollout', 'the one that goes on'],
    ['turnout rollout r-118 --json', 'for scripts'],
    ['turnout rollout r-118 --series', 'why it went back'],
  ],
  'turnout rollout watch': [
    ['turnout rollout watch', 'see it, and steer it by keys'],
    [
      'turnout rollout watch --until waiting --timeout 30m',
      'in a pipeline, before a person is asked',
    ],
  ],
  'turnout rollout list': [['turnout rollout list --service shop --limit 5', 'the latest']],
  'turnout rollout plan': [
    ['turnout rollout plan canary-10-5m', 'what it means'],
    ['turnout rollout plan "10%:5m, 25%:10m:approve, 50%:pause"', 'steps of your own'],
  ],
  'turnout rollout approve': [['turnout rollout approve --reason "looks good"', 'let it go on']],
  'turnout rollout reject': [['turnout rollout reject --reason "wrong build"', 'or not']],
  'turnout rollout pause': [['turnout rollout pause --reason lunch', 'look at it in peace']],
  'turnout rollout resume': [['turnout rollout resume', 'go on']],
  'turnout rollout skip': [['turnout rollout skip --reason "seen enough"', 'the next step, now']],
  'turnout rollout promote': [
    ['turnout rollout promote --reason "security fix"', 'all of it, now'],
  ],
  'turnout rollout abort': [
    ['turnout rollout abort --reason "errors at checkout"', 'the way out'],
    ['turnout rollout abort --restick new --ramp 30s', 'gently, to targets that are cold'],
  ],
  'turnout rollout point-of-no-return': [
    ['turnout rollout point-of-no-return on --reason "old columns are gone"', 'no way back'],
    ['turnout rollout point-of-no-return off --service shop --reason "restored"', 'one again'],
  ],
  'turnout rollout schema': [
    ['turnout rollout schema 10 --service shop --reason "backup of Monday"', 'after a restore'],
    ['turnout rollout schema unknown --reason "not sure"', 'let every release fit'],
  ],
  'turnout scale': [
    ['turnout scale --add http://10.0.0.7:3000', 'one more, for the active one'],
    ['turnout scale v42 --remove http://10.0.0.5:3000 --reason "disk"', 'take one away'],
    ['turnout scale --targets "$URLS" --json', 'all that it shall have'],
  ],
  'turnout apply': [
    ['turnout apply -f shop.yaml --dry-run', 'what would change'],
    ['turnout apply -f shop.yaml --yes --reason "release day"', 'in a pipeline'],
    ['turnout apply -f -', 'from standard input'],
  ],
  'turnout unlock': [
    ['turnout unlock', 'whatever is locked out'],
    ['turnout unlock green --reason "it was the database"', 'one color, and why'],
  ],
  'turnout freeze': [['turnout freeze --reason "black friday"', 'no switch, no failover']],
  'turnout unfreeze': [['turnout unfreeze --reason "it is over"', 'switching goes on']],
  'turnout hold': [['turnout hold --for 20s --methods writes', 'while a migration runs']],
  'turnout resume': [['turnout resume', 'the migration is done']],
  'turnout maintenance': [
    ['turnout maintenance on --message "back at 5" --retry-after 30m', 'begin'],
    ['turnout maintenance off', 'end'],
  ],
  'turnout token create': [
    ['turnout token create pipeline --role switch --life 90d', 'for deployments'],
    ['turnout token create first --role admin --state ./state', 'before the first start'],
  ],
  'turnout token list': [['turnout token list', 'who may ask']],
  'turnout token revoke': [['turnout token revoke pipeline --reason leaked', 'at once']],
  'turnout audit': [
    ['turnout audit --limit 20', 'the latest'],
    ['turnout audit --verify', 'nothing was changed or removed'],
    ['turnout audit --head "$(cat noted-head)"', 'nor was the log replaced since then'],
  ],
  'turnout reload': [
    ['turnout reload --dry-run', 'what would change'],
    ['turnout reload --reason "new limits"', 'bring it into force'],
  ],
  'turnout upgrade': [['turnout upgrade', 'after the new version was installed']],
  'turnout config check': [['turnout config check turnout.yaml', 'before it is rolled out']],
  'turnout completion': [
    ['turnout completion bash > /etc/bash_completion.d/turnout', 'bash, for all users'],
    ['turnout completion zsh > "${fpath[1]}/_turnout"', 'zsh'],
    ['turnout completion fish > ~/.config/fish/completions/turnout.fish', 'fish'],
  ],
};
