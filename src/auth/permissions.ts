import { z } from "zod";

/** What a client may do. `admin` is about the server as a whole. */
export type Action = "publish" | "subscribe" | "admin";

/** Patterns of topics: an exact name, or a prefix that ends in `*`. */
const patterns = z.array(z.string().min(1)).default([]);

/** What a key's entry and a token's claim say alike. */
export const permissionFields = { publish: patterns, subscribe: patterns, admin: z.boolean().default(false) };

export type Permissions = {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
  readonly admin: boolean;
};

/**
 * For how many topics a grant remembers its answers. Beyond that it forgets them all, and decides anew. There may be as many
 * grants as connections, and names of topics are long.
 */
export const MOST_REMEMBERED = 32;

export type GrantFacts = {
  /** Whose credential it is: `key NAME` or `sub SUBJECT`. */
  owner: string;
  permissions: Permissions;
  /** What the credential was checked against. When that is gone, the grant is revoked. */
  issuer: string;
  /** When it ends, in milliseconds since 1970 UTC. A key has no end. */
  expiresAt?: number | undefined;
};

/** What one credential allows. */
export class Grant {
  readonly owner: string;
  readonly permissions: Permissions;
  readonly issuer: string;
  readonly expiresAt: number | undefined;
  readonly #remembered = { publish: new Map<string, boolean>(), subscribe: new Map<string, boolean>() };

  constructor({ owner, permissions, issuer, expiresAt }: GrantFacts) {
    this.owner = owner;
    this.permissions = permissions;
    this.issuer = issuer;
    this.expiresAt = expiresAt;
  }

  /** Whether a pattern for the action matches the topic. Decided once for each topic. */
  matches(action: "publish" | "subscribe", topic: string): boolean {
    const remembered = this.#remembered[action];
    const known = remembered.get(topic);
    if (known !== undefined) return known;
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    const matches = this.permissions[action].some((pattern) => matchesPattern(pattern, topic));
    remembered.set(topic, matches);
    return matches;
  }
}

/** Whether a grant allows an action. Where no credential is asked for there is no grant, and everything is allowed. */
export function may(grant: Grant | undefined, action: Action, topic = ""): boolean {
  if (grant === undefined) return true;
  return action === "admin" ? grant.permissions.admin : grant.matches(action, topic);
}

export function matchesPattern(pattern: string, topic: string): boolean {
  return pattern.endsWith("*") ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern;
}
