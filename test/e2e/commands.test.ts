import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { scripts } from "../../package.json";
import { binary, startBinary } from "../support/binary.ts";
import { type Block, blocksOf, pages, ROOT, withAddress } from "../support/pages.ts";
import { tempFolder } from "../support/proxies.ts";
import { Shell } from "../support/shell.ts";

beforeAll(() => void binary(), 60_000);

type Command = { readonly text: string; readonly how: "runs" | "stays" | "until" | "not run"; readonly what: string };

/** A `sh` block by its note, as CONTRIBUTING explains them. */
function commandOf({ text, note }: Block): Command {
  if (note === "") return { text, how: "runs", what: "" };
  const [, how, what] = /^(stays|until|not run): (.+)$/.exec(note) ?? [];
  if (what === undefined || (how !== "stays" && how !== "until" && how !== "not run")) {
    throw new Error(`There is no such note of a sh block: ${note}`);
  }
  return { text, how, what };
}

function commandsOf(page: string): Command[] {
  const commands = blocksOf(page).filter(({ language }) => language === "sh");
  return commands.map(commandOf);
}

/** Runs a page's commands, top to bottom, and returns what they printed, and what those printed that stayed meanwhile. */
async function run(page: string): Promise<{ printed: string; heard: string }> {
  await using server = await startBinary();
  await using terminals = new AsyncDisposableStack();
  const { path: folder } = terminals.use(tempFolder());
  await Bun.write(join(folder, ".curlrc"), "fail-with-body\n");
  const env = { HOST: "127.0.0.1", PORT: "0", CURL_HOME: folder, TMPDIR: folder };
  const staying: Shell[] = [];
  let printed = "";
  for (const { text, how, what } of commandsOf(page)) {
    if (how === "not run") continue;
    const shell = terminals.use(new Shell(["bash", "-e", "-c", withAddress(text, server.port)], env));
    if (how === "runs") {
      printed += await shell.end();
      continue;
    }
    await shell.until(what);
    if (how === "stays") staying.push(shell);
    else await shell.interrupt();
  }
  const heard = await Promise.all(staying.map((shell) => shell.end()));
  return { printed, heard: heard.join("") };
}

/** What is wrong with a command that is not run, as far as that can be told. */
function complaintsOf(text: string): string[] {
  const { success, stderr } = Bun.spawnSync(["bash", "-n", "-c", text]);
  const paths = text.match(/(?<![\w./-])(src|test|\.ci|\.github)\/[\w./-]+/g) ?? [];
  const runs = [...text.matchAll(/\bbun(?:@[\d.]+)? run (\w+)/g)].map(([, script = ""]) => script);
  return [
    ...(success ? [] : [stderr.toString()]),
    ...paths.filter((path) => !existsSync(join(ROOT, path))).map((path) => `There is no file ${path}`),
    ...runs.filter((script) => !Object.hasOwn(scripts, script)).map((script) => `There is no script ${script}`),
  ];
}

const SPEC = "src/protocol/README.md";
const HTTP = "src/http/README.md";
const others = pages.filter((page) => {
  return page !== SPEC && page !== HTTP && commandsOf(page).some(({ how }) => how !== "not run");
});

describe.concurrent("the documentation's commands", () => {
  test(`of ${SPEC} do what it says, pasted as they are`, async () => {
    const { printed, heard } = await run(SPEC);
    expect(printed).toContain('{"status":"created","topic":"sensor-data"}');
    expect(printed).toContain('{"type":"ack","request_id":"pub1","topic":"sensor-data","status":"ok"');
    expect(printed).toContain('{"topics":[{"name":"sensor-data","subscribers":1}]}');
    expect(printed).toContain('{"topics":{"sensor-data":{"messages":1,"subscribers":1}}}');
    expect(printed).toMatch(/\{"uptime_sec":\d+,"topics":1,"subscribers":1\}/);
    expect(printed).toContain('{"status":"deleted","topic":"sensor-data"}');
    expect(heard).toContain('"request_id":"sub1"');
    expect(heard).toContain('"message":{"id":"550e8400-e29b-41d4-a716-446655440000","payload":{"temp": 22.50}}}');
    expect(heard).toContain('"msg":"topic_deleted"');
  }, 60_000);

  test(`of ${HTTP} do what it says, pasted as they are`, async () => {
    const { printed, heard } = await run(HTTP);
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
  }, 60_000);

  test.each(others)(
    "of %s run, pasted as they are",
    async (page) => {
      await run(page);
    },
    60_000,
  );
});

test("Commands that are not run are shell, and name files and scripts that are there", () => {
  const notRun = pages.flatMap((page) => commandsOf(page).filter(({ how }) => how === "not run"));
  expect(notRun.flatMap(({ text }) => complaintsOf(text))).toEqual([]);
});

test.each(pages)("%s has commands in sh blocks only", (page) => {
  const languages = blocksOf(page).map(({ language }) => language);
  expect(languages.filter((language) => /^(|bash|shell|zsh|console|shell-session|sh-session)$/.test(language))).toEqual(
    [],
  );
});

describe("complaintsOf", () => {
  test.each([
    ["bun test/none.ts", ["There is no file test/none.ts"]],
    ["npx -y bun@1.4.5 run none", ["There is no script none"]],
    ["bun run build && cp src/ops/nginx.conf /etc/nginx/nginx.conf", []],
  ])("of %s", (text, complaints) => {
    expect(complaintsOf(text)).toEqual(complaints);
  });

  test("of what is not shell", () => {
    expect(complaintsOf("for (;;")).toHaveLength(1);
  });
});
