import { describe } from "bun:test";
import { TRANSPORTS } from "../../src/broker/ports.ts";
import { countsContract } from "./contract/counts.ts";
import { deliveryContract } from "./contract/delivery.ts";
import { endingsContract } from "./contract/endings.ts";
import { heartbeatContract } from "./contract/heartbeat.ts";
import { pressureContract } from "./contract/pressure.ts";

/** What every subscriber can rely on, whatever it is connected by. */
for (const transport of TRANSPORTS) {
  describe(`over ${transport}`, () => {
    deliveryContract(transport);
    pressureContract(transport);
    heartbeatContract(transport);
    endingsContract(transport);
    countsContract(transport);
  });
}
