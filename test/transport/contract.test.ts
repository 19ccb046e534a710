import { describe } from "bun:test";
import { TRANSPORTS } from "../../src/protocol/frames.ts";
import { ENGINES } from "../support/server.ts";
import { countsContract } from "./contract/counts.ts";
import { deliveryContract } from "./contract/delivery.ts";
import { endingsContract } from "./contract/endings.ts";
import { heartbeatContract } from "./contract/heartbeat.ts";
import { pressureContract } from "./contract/pressure.ts";

/** What every subscriber can rely on, whatever it is connected by, and whatever time the engine takes. */
for (const [kind, engine] of Object.entries(ENGINES)) {
  for (const transport of TRANSPORTS) {
    describe(`over ${transport} and an engine ${kind}`, () => {
      deliveryContract(transport, engine);
      pressureContract(transport, engine);
      heartbeatContract(transport, engine);
      endingsContract(transport, engine);
      countsContract(transport, engine);
    });
  }
}
