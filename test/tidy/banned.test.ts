// What must not stand in some folders, each with the reason. The hot path pays for every object,
// and a plane that reads clocks, files or the environment can't be moved by a test.

import t from 'tap';
import { codeOf, sourceFiles } from './source-files.ts';

interface Ban {
  readonly name: string;
  readonly pattern: RegExp;
  /** Folders or files in which the pattern is banned. */
  readonly where: readonly string[];
  /** Files in which it is at home. */
  readonly except: readonly string[];
  readonly reason: string;
  /** A line that the pattern finds. */
  readonly example: string;
}

const HOT = ['src/data-plane/', 'src/http/'];
const PURE = ['src/http/', 'src/contract/', 'src/base/'];

const BANS: readonly Ban[] = [
  {
    name: 'JSON',
    pattern: /\bJSON\./,
    where: HOT,
    except: ['src/data-plane/exchange/access-lines.ts'],
    reason: 'JSON per request is slow; only the access log writes it',
    example: 'JSON.stringify(head)',
  },
  {
    name: 'process.env',
    pattern: /\bprocess\.env\b/,
    where: ['src/data-plane/', 'src/control-plane/', ...PURE],
    except: [],
    reason: 'settings come from config/, read once',
    example: "process.env['PORT']",
  },
  {
    name: 'sign beyond ASCII',
    pattern: /[^\t\n\r -~]/,
    where: ['src/cli/'],
    except: ['src/cli/terminal/signs.ts'],
    reason: 'not every terminal has it: terminal.signs knows which one to print',
    example: 'return `${from} → ${to}`;',
  },
  {
    name: 'wall clock',
    pattern: /\bDate\.now\b|\bnew Date\b/,
    where: HOT,
    except: ['src/data-plane/exchange/access-lines.ts', 'src/data-plane/base/wall-clock.ts'],
    reason: 'durations need a clock that never jumps: performance.now()',
    example: 'const at = Date.now();',
  },
  {
    name: 'regular expression',
    pattern:
      /(?:[=(,:!&|?;{[]|\breturn)\s*\/(?![/*\s])(?:[^/\\\n]|\\.)+\/[a-z]*[\s.,;)\]]|\bRegExp\b/,
    where: HOT,
    except: [],
    reason: 'bytes are compared as bytes; an expression costs and may backtrack',
    example: 'if (/^a+$/.test(name)) return;',
  },
  {
    name: 'timer',
    // A socket's own setTimeout is a field of its handle, not a timer of the loop.
    pattern: /(?<!\.)\bset(?:Timeout|Interval)\s*\(/,
    where: HOT,
    except: [
      'src/data-plane/base/wheel.ts',
      'src/data-plane/plane-stop.ts',
      'src/data-plane/targets/connect-ahead.ts',
      'src/data-plane/drains/closing-pace.ts',
    ],
    reason:
      'one wheel per worker, not one timer per request; the plane may time a table or a stop, ' +
      'and thousands of closes are spread more finely than the wheel turns',
    example: 'setTimeout(() => {}, 10)',
  },
  {
    name: 'files',
    pattern: /['"](?:node:)?fs(?:\/promises)?['"]/,
    where: [...HOT, 'src/contract/', 'src/base/'],
    // A listener of a Unix socket is a file; so may standard output be; the version stands in the
    // manifest, and no worker asks it.
    except: ['src/base/socket-file.ts', 'src/base/log-outlet.ts', 'src/base/version.ts'],
    reason: 'the data plane knows its table and nothing else',
    example: "import { readFileSync } from 'node:fs';",
  },
  {
    name: 'sockets and threads in the rules of HTTP',
    pattern: /['"]node:(?:net|tls|http|http2|worker_threads|dns)['"]/,
    where: PURE,
    // Standard output is a pipe or a socket where it is collected; and both planes speak TLS to targets,
    // by the same terms.
    except: ['src/base/log-outlet.ts', 'src/contract/target-tls.ts'],
    reason: 'these folders are pure: bytes and data in, data out',
    example: "import net from 'node:net';",
  },
  {
    name: 'node:http server or client in the data plane',
    pattern: /\bimport\s+(?!\{ STATUS_CODES \})[^;]*['"]node:https?['"]/,
    where: ['src/data-plane/'],
    except: [],
    reason: 'the engine is node:net; only the table of reasons is borrowed',
    example: "import { createServer } from 'node:http';",
  },
  {
    name: 'acme-client',
    pattern: /['"]acme-client['"]/,
    where: ['src/'],
    // Both belong to the program of one order.
    except: [
      'src/control-plane/acme/authority-client.ts',
      'src/control-plane/acme/order-protocol.ts',
    ],
    reason: 'it costs a second and 40 MB, so only the program of one order may load it',
    example: "import { Client } from 'acme-client';",
  },
  {
    name: 'console',
    pattern: /\bconsole\./,
    where: ['src/data-plane/', 'src/control-plane/', 'src/config/', ...PURE],
    except: [],
    reason: 'what people read comes from cli/ or from the log',
    example: 'console.log(1)',
  },
  {
    name: 'process.exit',
    pattern: /\bprocess\.exit\b/,
    where: ['src/'],
    // In a worker thread it ends the thread alone.
    // The program of one order ends with the process that started it.
    except: ['src/main.ts', 'src/data-plane/worker.ts', 'src/control-plane/acme/order-program.ts'],
    reason: 'one place decides the exit code',
    example: 'process.exit(1)',
  },
  {
    name: 'a TODO without an issue',
    pattern: /\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))/,
    where: ['src/', 'test/', 'bench/'],
    except: ['test/tidy/banned.test.ts'],
    reason: 'a promise needs a place where it is kept',
    example: 'TODO',
  },
];

function faultsOf(ban: Ban, path: string, text: string): string[] {
  const isBanned =
    ban.where.some((folder) => path.startsWith(folder)) && !ban.except.includes(path);
  if (!isBanned) return [];
  return text
    .split('\n')
    .flatMap((line, index) =>
      ban.pattern.test(line) ? [`${path}:${index + 1}: ${ban.reason}`] : [],
    );
}

const files = ['src', 'test', 'bench'].flatMap((folder) => sourceFiles(folder));

for (const ban of BANS) {
  await t.test(`${ban.name} stands only where it may`, async (t) => {
    const isAboutComments = ban.name.startsWith('a TODO');
    const faults = files.flatMap(({ path, text }) =>
      faultsOf(ban, path, isAboutComments ? text : codeOf(text)),
    );
    t.strictSame(faults, []);
    t.match(ban.example, ban.pattern, 'the pattern finds what it is meant for');
  });
}
