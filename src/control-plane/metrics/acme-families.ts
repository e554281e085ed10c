// Series about certificates that ACME obtains: what became of orders, and which fail time after time.

import type { AcmeOrders } from '../acme/acme-orders.ts';
import { family, type Family } from './prometheus.ts';

/** Returns the families of ACME. */
export function acmeFamilies(acme: Pick<AcmeOrders, 'status' | 'counts'>): Family[] {
  const orders = family(
    'counter',
    'turnout_acme_orders_total',
    'Certificates that were ordered, by what became of it: obtained, failed.',
  );
  for (const [outcome, count] of Object.entries(acme.counts)) orders.add({ outcome }, count);
  const failures = family(
    'gauge',
    'turnout_acme_failures',
    'Orders for a domain that failed in a row; 0 once one succeeds.',
  );
  for (const { domain, failures: count } of acme.status()) failures.add({ domain }, count);
  return [orders, failures];
}
