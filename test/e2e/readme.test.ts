import { expect, test } from "bun:test";
import { join } from "node:path";
import { settings } from "../../src/config.ts";
import { startBinary } from "../support/binary.ts";

const readme = await Bun.file(join(import.meta.dir, "../../README.md")).text();

test("README lists every setting as the configuration declares it", () => {
  const cells = settings.map(({ variable, default: fallback, help }) => [`\`${variable}\``, fallback, help]);
  const rows = [["variable", "default", ""], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  const table = [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(line)];
  const between = /<!-- settings -->\n([^]*)<!-- \/settings -->/.exec(readme)?.[1]?.trim();
  expect(between).toBe(table.join("\n"));
});

/** The commands of a section's `sh` blocks, one string a block, with whether it is marked as the subscriber. */
function commands(section: string): { command: string; subscriber: boolean }[] {
  const text = readme.split(`\n## ${section}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...text.matchAll(/(<!-- subscriber -->\s+)?```sh\n([^]*?)```/g)].map(([, mark, command = ""]) => ({
    command,
    subscriber: mark !== undefined,
  }));
}

test("README's walk-through does what it says, pasted as it is", async () => {
  await using server = await startBinary();
  const shell = (command: string) =>
    Bun.spawn(["bash", "-c", command.replaceAll("localhost:8000", `127.0.0.1:${server.port}`)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
  let heard = "";
  let printed = "";
  const hearing: Promise<unknown>[] = [];
  for (const { command, subscriber: isSubscriber } of commands("Walk-through")) {
    if (!isSubscriber) {
      printed += await new Response(shell(command).stdout).text();
      continue;
    }
    const { stdout, exited } = shell(command);
    const acked = Promise.withResolvers<void>();
    const listen = async () => {
      const decoder = new TextDecoder();
      let own = "";
      for await (const chunk of stdout) {
        const text = decoder.decode(chunk, { stream: true });
        own += text;
        heard += text;
        if (own.includes('"ack"')) acked.resolve();
      }
    };
    hearing.push(listen(), exited);
    await acked.promise;
  }
  await Promise.all(hearing);

  expect(printed).toContain('{"status":"created","topic":"sensor-data"}');
  expect(printed).toContain('{"type":"ack","request_id":"pub1","topic":"sensor-data","status":"ok"');
  expect(printed).toContain('{"topics":[{"name":"sensor-data","subscribers":1}]}');
  expect(printed).toContain('{"topics":{"sensor-data":{"messages":1,"subscribers":1}}}');
  expect(printed).toMatch(/\{"uptime_sec":\d+,"topics":1,"subscribers":1\}/);
  expect(printed).toContain('{"status":"deleted","topic":"sensor-data"}');
  expect(heard).toContain('"request_id":"sub1"');
  expect(heard).toContain('"message":{"id":"550e8400-e29b-41d4-a716-446655440000","payload":{"temp": 22.50}}}');
  expect(heard).toContain('"msg":"topic_deleted"');

  expect(printed).toContain('"first_seq":2,"seq":3,"ids":["');
  expect(printed).toContain('"payload":1.10}');
  expect(heard).toContain("event: subscribed\n");
  expect(heard).toContain('"payload":"live"}}');
  expect(heard).toContain('event: info\ndata: {"type":"info","msg":"topic_deleted","topic":"news"');

  expect(printed).toContain("event: slow_consumer\n");
  const dropped = Number(/"queued":30,"dropped":(\d+)/.exec(printed)?.[1]);
  const told = new RegExp(`"dropped":${dropped},"first_seq":(\\d+),"last_seq":60\\}`).exec(printed);
  const fetched = [...printed.matchAll(/^"seq":(\d+),"ts"/gm)].map(([, seq]) => Number(seq));
  expect(fetched).toEqual(Array.from({ length: dropped }, (_, index) => Number(told?.[1]) + index));
});
