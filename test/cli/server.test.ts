import { expect, test } from "bun:test";
import { Context } from "../../src/cli/context.ts";
import { Server } from "../../src/cli/server.ts";

test("a connection that is lost is told once, however often another fails", async () => {
  let requests = 0;
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => {
      requests++;
      const isLetIn = requests === 1 || requests > 5;
      return isLetIn && self.upgrade(request) ? undefined : new Response(null, { status: 503 });
    },
    websocket: {
      open: (socket) => void (requests === 1 && socket.close()),
      message: () => {},
    },
  });
  const told: boolean[] = [];
  const context = new Context({}, new AbortController());
  const back = Promise.withResolvers<void>();
  const client = await new Server(server.url.href, undefined, context).connect({
    backoff: { firstMs: 1, mostMs: 1 },
    onConnection: (isThere) => {
      told.push(isThere);
      if (isThere) back.resolve();
    },
  });
  await back.promise;
  await client.close();
  expect(told).toEqual([false, true]);
  expect(requests).toBe(6);
});
