// Tells systemd how it stands (sd_notify(3)): ready, which process is in charge, stopping. Its
// socket speaks datagrams, which Node has not got for Unix sockets, so systemd-notify(1) says it.

import { spawn } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Says `states` (such as `READY=1`) to the service manager, where there is one. `onTrouble` hears
 * why it could not be said; nothing waits for it.
 */
export function tellServiceManager(
  environment: Environment,
  states: readonly string[],
  onTrouble: (why: string) => void,
): void {
  if ((environment['NOTIFY_SOCKET'] ?? '') === '') return;
  const child = spawn('systemd-notify', [...states], { stdio: 'ignore', env: environment });
  child.once('error', (error) => onTrouble(`systemd-notify: ${error.message}`));
  child.once('exit', (code) => {
    if (code !== 0) onTrouble(`systemd-notify ended with exit code ${code}`);
  });
  child.unref();
}
