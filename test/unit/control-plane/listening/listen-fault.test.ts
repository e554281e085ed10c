import t from 'tap';
import { listenFault } from '../../../../src/control-plane/listening/listen-fault.ts';

const REFUSED = { code: 'EACCES', message: 'permission denied' };

await t.test('a low port that may not be used is told with what it needs', (t) => {
  const low = listenFault({ kind: 'tcp', host: '0.0.0.0', port: 443 }, REFUSED);
  t.match(
    low,
    /^cannot listen on 0\.0\.0\.0:443: no permission \(EACCES\): .*CAP_NET_BIND_SERVICE/,
  );
  const high = listenFault({ kind: 'tcp', host: '0.0.0.0', port: 8443 }, REFUSED);
  t.equal(high, 'cannot listen on 0.0.0.0:8443: no permission (EACCES)');
  const file = listenFault({ kind: 'unix', path: '/run/a.sock' }, REFUSED);
  t.equal(file, 'cannot listen on unix:/run/a.sock: no permission (EACCES)');
  t.end();
});
