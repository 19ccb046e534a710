/**
 * Many clients of the library in a process of their own, each with one subscription. Says when all are live, each time,
 * and how often the connection was lost.
 */
import { z } from "zod";
import { connect } from "../../src/client/index.ts";
import { given, say, untilToldToEnd } from "../support/helper-process.ts";

const { url, clients: count, topic } = given(z.object({ url: z.string(), clients: z.int(), topic: z.string() }));
let live = 0;
const clients = Array.from({ length: count }, () => connect(url, { onError: () => {} }));
for (const client of clients) {
  let isLive = false;
  client.subscribe(topic, {
    onEvent: () => {},
    onState: (state) => {
      if ((state === "live") === isLive) return;
      isLive = !isLive;
      live += isLive ? 1 : -1;
      // The time of day is what two processes have in common.
      const at = performance.timeOrigin + performance.now();
      if (live === count) say({ live: at });
      if (live === 0) say({ lost: at });
    },
  });
}
await untilToldToEnd();
await Promise.all(clients.map((client) => client.close()));
