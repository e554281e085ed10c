// A real browser for tests: the Chromium of Debian, which sends nothing anywhere by itself.

import { chromium, type BrowserContext } from 'playwright-core';
import type { Test } from 'tap';
import { temporaryDirectory } from '../e2e/turnout-process.ts';

const CHROMIUM = '/usr/bin/chromium';
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** A browser takes its time on a busy machine. */
export const WAIT_MS = 60_000;

/** Starts a browser with a profile of its own; both go with the test. */
export async function openChromium(t: Test, more: readonly string[] = []): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(temporaryDirectory(t), {
    executablePath: CHROMIUM,
    headless: true,
    args: [...ARGUMENTS, ...more],
    timeout: WAIT_MS,
  });
  t.teardown(async () => context.close());
  return context;
}
