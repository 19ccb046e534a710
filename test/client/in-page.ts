/** The ledger in a page, which the test drives. */
import { connect } from "../../src/client/index.ts";
import { begin } from "./ledger.ts";

declare const location: { search: string };

const session = begin(connect, new URLSearchParams(location.search).get("server") ?? "");
Object.assign(globalThis, { stop: async () => JSON.stringify(await session.stop()) });
