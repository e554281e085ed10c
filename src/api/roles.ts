// What a caller of the admin API may do. Pure; the configuration names these roles too, for client
// certificates.

/** Each may do what those before it may. */
export const ROLES = ['read', 'switch', 'admin'] as const;

export type Role = (typeof ROLES)[number];

/** Tells whether `role` may do what needs `wanted`. */
export function mayAct(role: Role, wanted: Role): boolean {
  const needed = ROLES.indexOf(wanted);
  // An unknown role allows nothing, and nothing allows an unknown role.
  return needed !== -1 && ROLES.indexOf(role) >= needed;
}
