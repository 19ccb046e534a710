import { expect, test } from "bun:test";
import { Listener } from "../src/listener.ts";
import type { TlsPair } from "../src/tls.ts";

const pair = (name: string): TlsPair => ({ cert: name, key: name });

test("Listener goes on with the former certificate where the new one cannot be served", async () => {
  const served: (string | undefined)[] = [];
  const listener = new Listener(0, pair("first"), (port, tls) => {
    served.push(tls?.cert);
    if (tls?.cert === "broken") throw new Error("cannot be served");
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      fetch: () => new Response(tls?.cert),
      websocket: {
        data: { port: undefined, address: undefined, traceparent: undefined, grant: undefined, peer: undefined },
        message: () => {},
      },
    });
  });
  const shown = async () => (await fetch(`http://127.0.0.1:${listener.port}`)).text();
  expect(await shown()).toBe("first");
  expect(listener.renew(pair("first"))).toBe(false);
  expect(() => listener.renew(pair("broken"))).toThrow("cannot be served");
  expect(await shown()).toBe("first");
  expect(listener.renew(pair("second"))).toBe(true);
  expect(await shown()).toBe("second");
  expect(served).toEqual(["first", "broken", "first", "second"]);
  await listener.stop(0);
});
