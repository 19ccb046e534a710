import { version } from "../../package.json";
import { asyncApi } from "../api-docs/asyncapi.ts";
import { openApi } from "../api-docs/openapi.ts";

/** `GET /openapi.json` */
export function openApiDocument(): () => Response {
  return documentOf(openApi(version));
}

/** `GET /asyncapi.json` */
export function asyncApiDocument(): () => Response {
  return documentOf(asyncApi(version));
}

function documentOf(document: object): () => Response {
  const text = JSON.stringify(document);
  const headers = { "content-type": "application/json;charset=utf-8", "cache-control": "no-cache" };
  return () => new Response(text, { headers });
}
