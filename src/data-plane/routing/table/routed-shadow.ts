// Copies of the requests of one service, as a worker makes them.

import type { ShadowRules } from '../../../contract/shadow-rules.ts';
import type { Shadow } from '../../../contract/table.ts';
import { PathPatterns } from '../paths/path-patterns.ts';
import type { RoutedDeployment } from './routed-service.ts';

export interface RoutedShadow {
  /** Requests that it gets are copied. */
  readonly from: RoutedDeployment;
  /** Gets the copies. */
  readonly to: RoutedDeployment;
  /** Of 10,000. */
  readonly share: number;
  readonly rules: ShadowRules;
  /** Paths that are not copied. */
  readonly ignoredPaths: PathPatterns;
}

/** Returns what `shadow` asks for; undefined: the idle color has another deployment by now. */
export function routedShadow(
  shadow: Shadow | undefined,
  active: RoutedDeployment,
  idle: RoutedDeployment,
): RoutedShadow | undefined {
  if (shadow === undefined || shadow.deployment !== idle.number) return undefined;
  return {
    from: active,
    to: idle,
    share: shadow.share,
    rules: shadow,
    ignoredPaths: new PathPatterns(shadow.ignorePaths),
  };
}
