import { expect, test } from "bun:test";
import { Broker } from "../../src/broker/broker.ts";
import { LIMITS } from "../support/limits.ts";
import { FakeOutlet } from "../support/outlet.ts";
import { brokerPorts } from "../support/broker-ports.ts";

test.each([0, 3])(
  "who asks again while stalled is not told that it missed what it is sent, history %d",
  (maxHistory) => {
    const limits = { ...LIMITS, maxHistory, historyMemoryBytes: 1e9 };
    const broker = new Broker(limits, brokerPorts());
    const outlet = new FakeOutlet();
    const connection = broker.connect(outlet);
    broker.subscribe(connection, "t", "me");
    outlet.room = 2;
    for (let i = 0; i < 10; i++) {
      broker.publish("t", [{ id: "i", payload: "1" }], "t");
      broker.flush();
    }
    expect(outlet.story).toEqual(["1", "2"]);

    // 3 to 10 are queued, which is more than history holds.
    const { missed } = broker.subscribe(connection, "t", "me", { since: { epoch: "e", seq: 1 } });
    outlet.room = 100;
    connection.drained();
    broker.flush();
    expect(outlet.story).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    expect(missed?.last_seq).toBeLessThan(3);
  },
);
