import type { Permissions } from "../auth/permissions.ts";
import { toggle, words } from "./flag-kinds.ts";

/** The flags that say what a credential allows. */
export const PERMISSIONS = {
  publish: words("PATTERN", "a topic to publish to, or a prefix that ends in '*'; again for more"),
  subscribe: words("PATTERN", "a topic to subscribe to, or a prefix that ends in '*'; again for more"),
  admin: toggle("may create, delete and list topics, and read details, /stats and /metrics"),
};

export function permissionsOf({ publish, subscribe, admin }: Permissions): Permissions {
  return { publish, subscribe, admin };
}
