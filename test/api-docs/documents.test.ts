import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { CLIENT_EXAMPLES, SERVER_EXAMPLES } from "../../src/api-docs/asyncapi.ts";
import { OPERATIONS } from "../../src/api-docs/operations.ts";
import { FRAMES } from "../../src/protocol/schema.ts";
import { problemDocument, SENT_FRAMES } from "../../src/protocol/sent-schema.ts";
import { ROOT } from "../support/pages.ts";
import { startTestServer } from "../support/server.ts";

/** The paths of the server, as its table has them. */
const table = await Bun.file(`${ROOT}/src/http/routes.ts`).text();
const paths = [...table.matchAll(/^ {4}"(\/[^"]*)": /gm)].map(([, path = ""]) => path);

const document = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), z.object({ responses: z.record(z.string(), z.unknown()) }))),
});

describe("the OpenAPI document", () => {
  test("is served, and has every path and method of the server, and no other", async () => {
    await using server = startTestServer({ TOPICS: "t" });
    const { paths: documented } = document.parse(await (await fetch(`${server.url}/openapi.json`)).json());
    const expected = paths.filter((path) => path !== "/ws").map((path) => path.replace(":name", "{name}"));
    expect(Object.keys(documented).sort()).toEqual(expected.sort());
    for (const [path, methods] of Object.entries(documented)) {
      const { headers } = await fetch(`${server.url}${path.replace("{name}", "t")}`, { method: "OPTIONS" });
      const allowed = (headers.get("allow") ?? "").split(", ").filter((one) => one !== "HEAD" && one !== "OPTIONS");
      expect([path, ...Object.keys(methods).sort()]).toEqual([path, ...allowed.map((one) => one.toLowerCase()).sort()]);
    }
  });

  test.each(OPERATIONS.map((operation) => [operation.route, operation] as const))(
    "has examples for %s that the server's own schemas take",
    (_, { body, answer }) => {
      for (const example of body?.examples ?? []) expect(body?.schema.safeParse(example).error).toBeUndefined();
      const { content } = answer;
      if (content === undefined || !("schema" in content)) return;
      expect(content.schema.safeParse(content.example).error).toBeUndefined();
    },
  );

  test("has a problem document for each error, of the status that it stands under", async () => {
    await using server = startTestServer();
    const { paths: documented } = document.parse(await (await fetch(`${server.url}/openapi.json`)).json());
    const media = z.object({ examples: z.record(z.string(), z.object({ value: problemDocument })) });
    const response = z.object({ content: z.object({ "application/problem+json": media }) });
    let count = 0;
    for (const { responses } of Object.values(documented).flatMap((methods) => Object.values(methods))) {
      for (const [status, text] of Object.entries(responses)) {
        if (Number(status) < 400) continue;
        const { examples } = response.parse(text).content["application/problem+json"];
        for (const [code, { value }] of Object.entries(examples)) {
          expect([String(value.code), value.status]).toEqual([code, Number(status)]);
          count++;
        }
      }
    }
    expect(count).toBeGreaterThan(50);
  });
});

describe("the AsyncAPI document", () => {
  test.each(Object.entries(FRAMES))("has an example of %s that the server takes", (name, schema) => {
    expect(schema.safeParse(Object.entries(CLIENT_EXAMPLES).find(([key]) => key === name)?.[1]).error).toBeUndefined();
  });

  test.each(Object.entries(SENT_FRAMES))("has an example of %s, as the server sends it", (name, schema) => {
    const example = Object.entries(SERVER_EXAMPLES).find(([key]) => key === name)?.[1];
    expect(z.safeParse(schema, example).error).toBeUndefined();
  });

  test("is served, and has every frame", async () => {
    await using server = startTestServer();
    const answer = await fetch(`${server.url}/asyncapi.json`);
    const shape = z.object({
      asyncapi: z.literal("3.0.0"),
      channels: z.object({ socket: z.object({ messages: z.record(z.string(), z.unknown()) }) }),
    });
    const { messages } = shape.parse(await answer.json()).channels.socket;
    const frames = [...Object.keys(FRAMES).map((name) => `${name}Frame`), ...Object.keys(SENT_FRAMES)];
    expect(Object.keys(messages).sort()).toEqual(frames.sort());
  });
});
