import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { devDependencies, scripts } from "../../package.json";
import { readConfig, settings } from "../../src/config.ts";
import { expectFine } from "../support/expect-fine.ts";
import { caddyEnv, caddyfile, nginxConf, opsFile, skipWithout, tempFolder } from "../support/proxies.ts";
import { startTestServer } from "../support/server.ts";

const { port: PORT, shutdownGraceMs, maxMessageBytes, heartbeatIntervalMs } = readConfig({}, {});

/** How long a shutdown may take. */
const SHUTDOWN_SECONDS = shutdownGraceMs / 1000;

/** Expects that each variable is a setting, and that the server takes its value. */
function expectSettings(env: Record<string, string>): void {
  const known = settings.map(({ variable }) => variable);
  expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
  expect(() => readConfig({}, env)).not.toThrow();
}

/** `60`, `60s` or `60sec` as a number of seconds. */
function seconds(text: string): number {
  return Number(/^(\d+)(?:s|sec)?$/.exec(text)?.[1]);
}

/** The value of a line `name value` or `name=value`. */
function valueOf(text: string, name: string): string {
  const value = new RegExp(`^\\s*${name}[ =](.*?);?$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`There is no ${name}`);
  return value;
}

describe("nginx.conf", async () => {
  const text = await opsFile("nginx.conf");

  test.skipIf(skipWithout("nginx"))("is what nginx takes", async () => {
    using folder = tempFolder();
    const config = join(folder.path, "nginx.conf");
    await Bun.write(config, await nginxConf({ folder: folder.path, port: PORT, server: { port: PORT } }));
    await expectFine(["nginx", "-t", "-q", "-p", folder.path, "-e", join(folder.path, "error.log"), "-c", config]);
  });

  test("leads to the server's port, and leaves size and silence for the server to judge", () => {
    expect(text).toContain(`server 127.0.0.1:${PORT};`);
    const [, megabytes] = /^(\d+)m$/.exec(valueOf(text, "client_max_body_size")) ?? [];
    expect(Number(megabytes) * 1024 * 1024).toBeGreaterThan(maxMessageBytes);
    const [, hours] = /^(\d+)h$/.exec(valueOf(text, "proxy_read_timeout")) ?? [];
    expect(Number(hours) * 3_600_000).toBeGreaterThan(2 * heartbeatIntervalMs);
  });

  test("has files enough for its connections, two for a client", () => {
    const files = Number(valueOf(text, "worker_rlimit_nofile"));
    expect(files).toBeGreaterThan(Number(valueOf(text, "worker_connections")));
  });
});

describe("Caddyfile", async () => {
  const text = await opsFile("Caddyfile");

  test.skipIf(skipWithout("caddy"))("is what Caddy takes", async () => {
    using folder = tempFolder();
    const config = join(folder.path, "Caddyfile");
    await Bun.write(config, await caddyfile({ port: PORT, server: { port: PORT } }));
    await expectFine(["caddy", "validate", "--adapter", "caddyfile", "--config", config], caddyEnv(folder.path));
  });

  test("leads to the server's port", () => {
    expect(text).toContain(`reverse_proxy 127.0.0.1:${PORT}`);
  });
});

describe("pubsub.service", async () => {
  const text = await opsFile("pubsub.service");

  // It comes with systemd, which a container needs for nothing else: no reason to require it.
  test.skipIf(Bun.which("systemd-analyze") === null)("is what systemd takes", async () => {
    using folder = tempFolder();
    const unit = join(folder.path, "pubsub.service");
    await Bun.write(unit, await opsFile("pubsub.service", { "=/usr/local/bin/pubsub": `=${process.execPath}` }));
    // What it does not know it only warns of.
    expect(await expectFine(["systemd-analyze", "verify", "--man=no", unit])).not.toContain("pubsub.service");
  });

  test("sets settings that the server takes, and its port", () => {
    const pairs = valueOf(text, "Environment").split(" ");
    const env = Object.fromEntries(pairs.map((pair) => [pair.split("=")[0] ?? "", pair.split("=")[1] ?? ""]));
    expectSettings(env);
    expect(env["PORT"]).toBe(String(PORT));
  });

  test("stops with SIGTERM and gives a shutdown its time", () => {
    expect(valueOf(text, "KillSignal")).toBe("SIGTERM");
    expect(seconds(valueOf(text, "TimeoutStopSec"))).toBeGreaterThan(SHUTDOWN_SECONDS);
  });
});

describe("compose.yaml", async () => {
  const composeSchema = z.object({
    services: z.object({
      pubsub: z.object({
        build: z.string(),
        ports: z.array(z.string()),
        environment: z.record(z.string(), z.string()),
        ulimits: z.object({ nofile: z.int() }),
        stop_grace_period: z.string(),
        read_only: z.literal(true),
      }),
    }),
  });
  const { pubsub } = composeSchema.parse(Bun.YAML.parse(await opsFile("compose.yaml"))).services;

  test("builds the repository's image and opens the port of its Dockerfile", async () => {
    const dockerfile = await Bun.file(join(import.meta.dir, "../../src/ops", pubsub.build, "Dockerfile")).text();
    expect(dockerfile).toContain(`EXPOSE ${PORT}`);
    expect(pubsub.ports).toEqual([`${PORT}:${PORT}`]);
  });

  test("sets settings that the server takes, and gives a shutdown its time", () => {
    expectSettings(pubsub.environment);
    expect(seconds(pubsub.stop_grace_period)).toBeGreaterThan(SHUTDOWN_SECONDS);
  });
});

describe("kubernetes.yaml", async () => {
  const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
  const container = z.object({
    name: z.literal("pubsub"),
    ports: z.tuple([z.object({ name: z.string(), containerPort: z.number() })]),
    env: z.array(z.object({ name: z.string(), value: z.string() })),
    livenessProbe: probe,
    readinessProbe: probe,
    resources: z.object({ requests: z.object({ memory: z.string() }), limits: z.object({ memory: z.string() }) }),
    securityContext: z.object({ readOnlyRootFilesystem: z.literal(true) }),
  });
  const labels = z.record(z.string(), z.string());
  const deploymentSchema = z.object({
    apiVersion: z.literal("apps/v1"),
    kind: z.literal("Deployment"),
    spec: z.object({
      replicas: z.literal(1),
      strategy: z.object({ type: z.literal("Recreate") }),
      selector: z.object({ matchLabels: labels }),
      template: z.object({
        metadata: z.object({ labels }),
        spec: z.object({ terminationGracePeriodSeconds: z.number(), containers: z.tuple([container]) }),
      }),
    }),
  });
  const serviceSchema = z.object({
    apiVersion: z.literal("v1"),
    kind: z.literal("Service"),
    spec: z.object({ selector: labels, ports: z.tuple([z.object({ targetPort: z.string() })]) }),
  });
  const documents = z.tuple([deploymentSchema, serviceSchema]);
  const [deployment, service] = documents.parse(Bun.YAML.parse(await opsFile("kubernetes.yaml")));
  const { spec: pod, metadata } = deployment.spec.template;
  const [server] = pod.containers;

  test("leads from the service to the server's port", () => {
    expect(deployment.spec.selector.matchLabels).toEqual(metadata.labels);
    expect(service.spec.selector).toEqual(metadata.labels);
    expect(server.ports[0].containerPort).toBe(PORT);
    const ports = [
      service.spec.ports[0].targetPort,
      server.livenessProbe.httpGet.port,
      server.readinessProbe.httpGet.port,
    ];
    expect(new Set(ports)).toEqual(new Set([server.ports[0].name]));
  });

  test("asks for liveness and readiness where the server answers", async () => {
    const paths = [server.livenessProbe.httpGet.path, server.readinessProbe.httpGet.path];
    expect(paths).toEqual(["/livez", "/readyz"]);
    await using running = startTestServer();
    for (const path of paths) expect((await fetch(`${running.url}${path}`)).status).toBe(200);
  });

  test("sets settings that the server takes, and gives a shutdown its time", () => {
    expectSettings(Object.fromEntries(server.env.map(({ name, value }) => [name, value])));
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(SHUTDOWN_SECONDS);
  });
});

describe("release.yml", async () => {
  const text = await Bun.file(join(import.meta.dir, "../../.github/workflows/release.yml")).text();
  const built = z.object({
    needs: z.tuple([z.literal("test")]),
    strategy: z.object({ matrix: z.object({ include: z.array(z.record(z.string(), z.string())) }) }),
    steps: z.array(z.object({ run: z.string().default("") })),
  });
  const workflowSchema = z.object({
    on: z.object({ push: z.object({ tags: z.tuple([z.literal("v*")]) }) }),
    jobs: z.object({
      test: z.object({ uses: z.literal("./.github/workflows/ci.yml") }),
      executables: built,
      image: built,
      release: z.object({ needs: z.tuple([z.literal("executables"), z.literal("image")]) }),
    }),
  });
  const { executables, image } = workflowSchema.parse(Bun.YAML.parse(text)).jobs;

  test("builds for every system and architecture", () => {
    const targets: Bun.Build.CompileTarget[] = [
      "bun-linux-x64",
      "bun-linux-arm64",
      "bun-linux-x64-musl",
      "bun-linux-arm64-musl",
      "bun-darwin-x64",
      "bun-darwin-arm64",
      "bun-windows-x64",
    ];
    expect(executables.strategy.matrix.include.map(({ target }) => target ?? "")).toEqual(targets);
    expect(image.strategy.matrix.include.map(({ arch }) => arch)).toEqual(["amd64", "arm64"]);
  });

  test("builds with the package's own command, which takes a further flag at its end", () => {
    const commands = executables.steps.map(({ run }) => run);
    expect(commands).toContain(`npx -y bun@${devDependencies["@types/bun"]} run build --target=\${{ matrix.target }}`);
    expect(scripts.build).toMatch(/&& bun build --compile [^&|;]+ --outfile dist\/pubsub$/);
  });
});
