import { expect, test } from "bun:test";
import { LIMITS, makeBroker } from "../support/make-broker.ts";
import { FakePeer } from "../support/fake-peer.ts";

test.each([0, 3])(
  "who asks again while stalled is not told that it missed what it is sent, history %d",
  (maxHistory) => {
    const limits = { ...LIMITS, maxHistory, historyMemoryBytes: 1e9 };
    const broker = makeBroker({ limits });
    const peer = new FakePeer();
    const session = broker.connect(peer);
    broker.subscribe(session, "t", "me");
    peer.room = 2;
    for (let i = 0; i < 10; i++) {
      broker.publish("t", [{ id: "i", payload: "1" }]);
      broker.flush();
    }
    expect(peer.story).toEqual(["1", "2"]);

    // 3 to 10 are queued, which is more than history holds.
    const { missed } = broker.subscribe(session, "t", "me", { since: { epoch: "e", seq: 1 } });
    peer.room = 100;
    session.drained();
    broker.flush();
    expect(peer.story).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    expect(missed?.last_seq).toBeLessThan(3);
  },
);
