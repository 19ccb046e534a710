import { asset } from "./asset.ts";
import { bundleClient } from "./client-bundle.ts" with { type: "macro" };

/** The client library for browsers, as it was when the server was compiled. */
const SCRIPT = bundleClient();

/** `GET /client.js` */
export function clientScript(): (request: Request) => Response {
  return asset(SCRIPT, "text/javascript;charset=utf-8").answer;
}
