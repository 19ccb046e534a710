import { expect, test } from "bun:test";
import { connect, PubSubError } from "../../src/client/index.ts";
import { declareForeign } from "../support/contract.ts";
import { until } from "../support/stats.ts";

const TS = "2026-01-01T00:00:00.000Z";

/** What no server of ours sends, and a client must live with. */
const RUBBISH = [
  "",
  "{",
  "[]",
  "null",
  "42",
  `{"type":"event"}`,
  `{"type":"event","topic":"t","seq":"1","ts":"${TS}","message":{"id":"i","payload":1}}`,
  `{"type":"event","topic":"t","seq":-1,"ts":"${TS}","message":{"id":"i","payload":1}}`,
  `{"type":"event","topic":"t","seq":1,"ts":"${TS}","message":null}`,
  `{"type":"ack","ts":"${TS}","topic":"t","epoch":7,"seq":1,"replay":0}`,
  `{"type":"ack","ts":"${TS}","topic":"t","epoch":"e","base":"0","seq":1,"replay":0}`,
  `{"type":"error","ts":"${TS}","error":"no"}`,
  `{"type":"error","ts":"${TS}","topic":"t","error":{"code":"SLOW_CONSUMER","message":"x"}}`,
  `{"type":"info","ts":"${TS}","msg":"server_shutdown","retry_after_ms":"soon"}`,
  `{"type":"info","ts":"${TS}","msg":"epoch_changed","topic":"t","seq":1}`,
  `{"type":"info","ts":"${TS}","msg":"epoch_changed","topic":"t","epoch":"e","seq":-1}`,
  `{"type":"info","ts":"${TS}","msg":"epoch_changed","epoch":"e","seq":1}`,
  `{"type":"gossip","ts":"${TS}"}`,
];

/** What a later server may send, and this client knows nothing of. */
const NEW = [
  `{"type":"info","ts":"${TS}","msg":"news"}`,
  `{"type":"pong","ts":"${TS}","more":[1]}`,
  `{"type":"ack","ts":"${TS}","status":"ok","request_id":"nobody's"}`,
  `{"type":"event","topic":"other","seq":1,"ts":"${TS}","message":{"id":"i","payload":1}}`,
  `{"type":"info","ts":"${TS}","msg":"topic_deleted","topic":"other"}`,
];

test("a client tells what is no frame of the protocol, passes over what is new, and goes on", async () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no")),
    websocket: {
      open: (socket) => {
        for (const text of [...RUBBISH, ...NEW]) socket.send(text === "" ? " " : text);
        socket.send(new Uint8Array([1, 2, 3]));
      },
      message: (socket, text) => {
        const { request_id }: { request_id?: unknown } = JSON.parse(String(text));
        const topic = { topic: "t", status: "ok", epoch: "e", seq: 1, ts: TS };
        socket.send(JSON.stringify({ type: "ack", request_id, ...topic }));
      },
    },
  });
  using _ = declareForeign(String(server.url));
  const errors: unknown[] = [];
  const client = connect(String(server.url), { onError: (cause) => errors.push(cause) });
  expect(await client.publish("t", 1)).toMatchObject({ epoch: "e", seq: 1 });
  await until(async () => errors.length > RUBBISH.length);
  expect(errors).toHaveLength(RUBBISH.length + 1);
  for (const error of errors) {
    expect(error).toBeInstanceOf(PubSubError);
    expect(error).toMatchObject({ code: "PROTOCOL" });
  }
  await client.close();
  await server.stop(true);
});

test("an address that is none is refused at once", () => {
  for (const url of ["", "localhost:8000", "ftp://localhost", "nothing"]) expect(() => connect(url)).toThrow(TypeError);
});
