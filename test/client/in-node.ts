/** The ledger as a process of Node: it says its report when its input ends, and must then end by itself. */
import { connect } from "../../src/client/index.ts";
import { begin } from "./ledger.ts";

const session = begin(connect, process.argv[2] ?? "");
process.stdin.resume();
process.stdin.on("end", async () => process.stdout.write(`${JSON.stringify(await session.stop())}\n`));
