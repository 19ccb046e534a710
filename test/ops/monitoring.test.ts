import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { settings } from "../../src/config.ts";
import { ERRORS } from "../../src/protocol/codes.ts";
import { publishBody } from "../support/answers.ts";
import { Client } from "../support/client.ts";
import { expectFine } from "../support/expect-fine.ts";
import { blocksOf } from "../support/pages.ts";
import { opsFile, tempFolder } from "../support/proxies.ts";
import { createTopic, startTestServer } from "../support/server.ts";
import { metrics } from "../support/stats.ts";

const OPS = join(import.meta.dir, "../../src/ops");

/** Tests that need promtool are skipped where it is missing, unless `PUBSUB_REQUIRE_PROMTOOL=1` says that it must be there. */
const skipPromtool = Bun.which("promtool") === null && process.env["PUBSUB_REQUIRE_PROMTOOL"] !== "1";

const alertSchema = z.strictObject({
  alert: z.string().startsWith("Pubsub"),
  expr: z.string(),
  for: z.string().regex(/^[1-9]\d*m$/),
  labels: z.strictObject({ severity: z.enum(["page", "ticket"]) }),
  annotations: z.strictObject({ summary: z.string(), description: z.string(), runbook: z.string() }),
});
const rulesSchema = z.object({
  groups: z.tuple([z.object({ name: z.literal("pubsub"), rules: z.array(alertSchema) })]),
});
const ruleTestsSchema = z.object({
  tests: z.array(
    z.object({
      name: z.string(),
      alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })),
    }),
  ),
});

const gridPos = z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() });
const datasource = z.object({ type: z.literal("prometheus"), uid: z.literal("${datasource}") });
const rowSchema = z.object({ id: z.int(), type: z.literal("row"), title: z.string().min(1), gridPos });
const panelSchema = z.object({
  id: z.int(),
  type: z.enum(["timeseries", "heatmap", "stat"]),
  title: z.string().min(1),
  description: z.string().min(1),
  datasource,
  gridPos,
  fieldConfig: z.object({ defaults: z.object({ unit: z.string().min(1) }) }),
  targets: z.array(z.object({ datasource, expr: z.string(), legendFormat: z.string().min(1) })).min(1),
});
const dashboardSchema = z.object({
  uid: z.string(),
  schemaVersion: z.int().min(39),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
  annotations: z.object({ list: z.array(z.object({ datasource, expr: z.string() })) }),
  panels: z.array(z.discriminatedUnion("type", [rowSchema, panelSchema])),
});

const [{ rules }] = rulesSchema.parse(Bun.YAML.parse(await opsFile("alerts.yaml"))).groups;
const { tests: ruleTests } = ruleTestsSchema.parse(Bun.YAML.parse(await opsFile("alerts.test.yaml")));
const dashboard = dashboardSchema.parse(await Bun.file(join(OPS, "grafana.json")).json());
const panels = dashboard.panels.filter((panel) => panel.type !== "row");
const dashboardQueries = [
  ...dashboard.annotations.list.map(({ expr }) => expr),
  ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
];

/** What README says to watch, as the table and the blocks have it. */
const readmeQueries = /^## What to watch\n([^]*?)^### /m.exec(await opsFile("README.md"))?.[1]?.split("\n") ?? [];

/** Labels that Prometheus adds, or that a histogram's buckets have. */
const ADDED = ["job", "instance", "le", "alertname", "alertstate"];

describe("alerts.yaml", () => {
  test.skipIf(skipPromtool)("is what Prometheus takes", async () => {
    await expectFine(["promtool", "check", "rules", join(OPS, "alerts.yaml")]);
  });

  test.skipIf(skipPromtool)("fires and stays silent as alerts.test.yaml says", async () => {
    await expectFine(["promtool", "test", "rules", join(OPS, "alerts.test.yaml")]);
  });

  test("has for each alert a test in which it fires, and one in which it stays silent", () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    const tested = ruleTests.map(({ name, alert_rule_test: steps }) => {
      const [first] = steps;
      const fires = steps.some(({ exp_alerts: alerts }) => alerts.length > 0);
      expect(new Set(steps.map(({ alertname }) => alertname)).size, name).toBe(1);
      expect(name).toStartWith(`${first?.alertname} ${fires ? "fires" : "stays silent"} `);
      return `${first?.alertname} ${fires}`;
    });
    expect([...new Set(tested)].sort()).toEqual(names.flatMap((name) => [`${name} false`, `${name} true`]).sort());
  });

  test("has a heading of the README for each alert, in its order, and each alert leads there", async () => {
    const page = await opsFile("README.md");
    const section = /^## Alerts\n([^]*?)^## /m.exec(page)?.[1] ?? "";
    const headings = [...section.matchAll(/^### (.*)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook).toBe(`src/ops/README.md#${alert.toLowerCase()}`);
    }
  });

  test.skipIf(skipPromtool)("is loaded by the configuration that the README shows", async () => {
    const [block, another] = blocksOf("src/ops/README.md").filter(({ language }) => language === "yaml");
    expect(another).toBeUndefined();
    using folder = tempFolder();
    const file = join(folder.path, "prometheus.yml");
    await Bun.write(file, block?.text ?? "");
    await Bun.write(join(folder.path, "alerts.yaml"), Bun.file(join(OPS, "alerts.yaml")));
    expect(await expectFine(["promtool", "check", "config", file])).toContain(`${rules.length} rules found`);
  });

  test("names settings and error codes that exist", () => {
    const known = new Set([...settings.map(({ variable }) => variable), ...Object.keys(ERRORS)]);
    for (const { annotations } of rules) {
      const named = Object.values(annotations).flatMap((text) => text.match(/\b[A-Z]+_[A-Z_]*[A-Z]\b/g) ?? []);
      expect(named.filter((name) => !known.has(name) && name !== "JWT_")).toEqual([]);
    }
  });
});

describe("grafana.json", () => {
  test("takes its data source, job and servers from variables", () => {
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual(["datasource", "job", "instance"]);
    for (const query of dashboardQueries) {
      for (const { name, matchers } of selectorsOf(query)) {
        const own = matchers.filter(({ value }) => value.startsWith("$"));
        expect([name, ...own.map(({ label }) => label)]).toEqual([name, "job", "instance"]);
      }
    }
  });

  test("has no id twice, and no panel on another or beside the grid", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const taken = new Map<string, string>();
    for (const { title, gridPos: at } of dashboard.panels) {
      expect(at.x + at.w, title).toBeLessThanOrEqual(24);
      for (let x = at.x; x < at.x + at.w; x++) {
        for (let y = at.y; y < at.y + at.h; y++) {
          expect(taken.get(`${x} ${y}`), title).toBeUndefined();
          taken.set(`${x} ${y}`, title);
        }
      }
    }
  });

  test.skipIf(skipPromtool)("asks in PromQL", async () => {
    using folder = tempFolder();
    const rulesOfQueries = dashboardQueries.map((expr, index) => {
      return { record: `query${index}`, expr: expr.replaceAll("$__rate_interval", "5m") };
    });
    const file = join(folder.path, "queries.yaml");
    await Bun.write(file, JSON.stringify({ groups: [{ name: "queries", rules: rulesOfQueries }] }));
    await expectFine(["promtool", "check", "rules", file]);
  });
});

test("README has the lines that the engine logs, each with its level", async () => {
  const page = await opsFile("README.md");
  const section = /^### What to look at\n([^]*?)^### /m.exec(page)?.[1] ?? "";
  const shown = [...section.matchAll(/^\| (\w+) +\| `(.*?)` +\|/gm)].map(([, level, line]) => `${level} ${line}`);
  const code = await opsFile("engine-log.ts");
  const logged = [...code.matchAll(/\.(info|warn|error)\("(.*?)"/g)].map(([, level, line]) => `${level} ${line}`);
  expect(logged.toSorted()).toEqual(shown.toSorted());
});

describe("GET /metrics", () => {
  const queries = [...rules.map(({ expr }) => expr), ...dashboardQueries, ...readmeQueries];

  test.skipIf(skipPromtool)("is what promtool takes, after traffic of every kind", async () => {
    await using server = startTestServer();
    await createTopic(server, "t");
    await using client = await Client.connect(server);
    await client.subscribe("t", "me");
    await publishBody(server, "t", { payload: 1 });
    await client.next();
    await metrics(server);
    const text = await (await fetch(`${server.url}/metrics`)).text();
    expect(await expectFine(["promtool", "check", "metrics"], {}, text)).toBe("");
    await expect(expectFine(["promtool", "check", "metrics"], {}, text.replace("_total", ""))).rejects.toThrow();
  });

  test("has every metric of alerts.yaml and grafana.json, with the labels that they choose by", async () => {
    await using server = startTestServer();
    // Durations of requests are there after a first one.
    await metrics(server);
    const samples = [...(await metrics(server)).keys()].map(parseSample);
    const missing = queries.flatMap(selectorsOf).flatMap(({ name, matchers }) => {
      const own = samples.filter((sample) => sample.name === name);
      if (own.length === 0) return [name];
      return matchers.flatMap(({ label, operator, value }) => {
        if (ADDED.includes(label)) return [];
        const values = operator.endsWith("~") ? value.split("|") : [value];
        const has = (wanted: string) => own.some(({ labels }) => labels.get(label) === wanted);
        return values.filter((wanted) => !has(wanted)).map((wanted) => `${name}{${label}="${wanted}"}`);
      });
    });
    expect([...new Set(missing)]).toEqual([]);
  });

  test("has every label that alerts.yaml and grafana.json group by", async () => {
    await using server = startTestServer();
    await metrics(server);
    const known = new Set(ADDED);
    for (const key of (await metrics(server)).keys()) {
      for (const label of parseSample(key).labels.keys()) known.add(label);
    }
    const groupings = queries.flatMap((query) => [
      ...query.matchAll(/\b(?:by|without|on|ignoring|group_left) \(([^)]*)\)/g),
    ]);
    const legends = panels.flatMap(({ targets }) => targets.flatMap(({ legendFormat }) => legendFormat));
    const used = [
      ...groupings.flatMap(([, labels = ""]) => labels.split(", ")),
      ...legends.flatMap((legend) => [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label)),
    ];
    expect([...new Set(used)].filter((label) => !known.has(label))).toEqual([]);
  });
});

type Matcher = { label: string; operator: string; value: string };

/** Every metric of ours in a query, with its matchers. */
function selectorsOf(query: string): { name: string; matchers: Matcher[] }[] {
  return [...query.matchAll(/\b((?:pubsub|process)_\w+)(?:\{([^}]*)\})?/g)].map(([, name = "", text = ""]) => {
    const matchers = [...text.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)];
    return {
      name,
      matchers: matchers.map(([, label = "", operator = "", value = ""]) => ({ label, operator, value })),
    };
  });
}

/** A sample's name and labels, as `GET /metrics` writes them. */
function parseSample(key: string): { name: string; labels: Map<string, string> } {
  const labels = [...key.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = "", value = ""]) => [label, value] as const);
  return { name: /^\w+/.exec(key)?.[0] ?? "", labels: new Map(labels) };
}
