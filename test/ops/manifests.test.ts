import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { devDependencies, scripts } from "../../package.json";
import { readConfig } from "../../src/config.ts";
import { expectFine } from "../support/expect-fine.ts";
import { caddyEnv, caddyfile, nginxConf, opsFile, skipWithout, tempFolder } from "../support/proxies.ts";
import { startTestServer } from "../support/server.ts";
import { COMPOSE, expectComposed, expectKubernetes, expectSettings, OPS, pairsOf, PORT, seconds } from "./manifests.ts";
import { SHUTDOWN_SECONDS, valueOf } from "./manifests.ts";

const { maxMessageBytes, heartbeatIntervalMs } = readConfig({}, {});

describe("nginx.conf", async () => {
  const text = await opsFile("nginx.conf");

  test.skipIf(skipWithout("nginx"))("is what nginx takes", async () => {
    using folder = tempFolder();
    const config = join(folder.path, "nginx.conf");
    await Bun.write(config, await nginxConf({ folder: folder.path, port: PORT, server: { port: PORT } }));
    await expectFine(["nginx", "-t", "-q", "-p", folder.path, "-e", join(folder.path, "error.log"), "-c", config]);
  });

  test.skipIf(skipWithout("nginx"))("takes more nodes as it says", async () => {
    using folder = tempFolder();
    const config = join(folder.path, "nginx.conf");
    const one = await nginxConf({ folder: folder.path, port: PORT, server: { port: PORT } });
    const three = one.replaceAll(/^ +# {3}((zone|least_conn|server 127).*;)$/gm, "$1");
    expect(three.match(/^ *(server 127\.0\.0\.1:|zone|least_conn)/gm)).toHaveLength(5);
    await Bun.write(config, three);
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

describe.each(["pubsub.service", "pubsub@.service"])("%s", async (name) => {
  const text = await opsFile(name);

  // It comes with systemd, which a container needs for nothing else: no reason to require it.
  test.skipIf(Bun.which("systemd-analyze") === null)("is what systemd takes", async () => {
    using folder = tempFolder();
    const unit = join(folder.path, name.replace("@", `@${PORT}`));
    await Bun.write(unit, await opsFile(name, { "ExecStart=/usr/local/bin/pubsub": `ExecStart=${process.execPath}` }));
    // What it does not know it only warns of.
    expect(await expectFine(["systemd-analyze", "verify", "--man=no", unit])).not.toContain("pubsub");
  });

  test("sets settings that the server takes", () => {
    expectSettings(pairsOf(valueOf(text, "Environment")));
  });

  test("stops with SIGTERM and gives a shutdown its time", () => {
    expect(valueOf(text, "KillSignal")).toBe("SIGTERM");
    expect(seconds(valueOf(text, "TimeoutStopSec"))).toBeGreaterThan(SHUTDOWN_SECONDS);
  });
});

test("pubsub.service has the server's port", async () => {
  expect(pairsOf(valueOf(await opsFile("pubsub.service"), "Environment"))["PORT"]).toBe(String(PORT));
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

  test.skipIf(COMPOSE === undefined)("is what compose takes", () => expectComposed("compose.yaml"));

  test("builds the repository's image and opens the port of its Dockerfile", async () => {
    const dockerfile = await Bun.file(join(OPS, pubsub.build, "Dockerfile")).text();
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
  const labels = z.record(z.string(), z.string());
  const container = z.object({
    name: z.literal("pubsub"),
    ports: z.tuple([z.object({ name: z.string(), containerPort: z.number() })]),
    env: z.array(z.object({ name: z.string(), value: z.string() })),
    livenessProbe: probe,
    readinessProbe: probe,
    resources: z.object({ requests: z.object({ memory: z.string() }), limits: z.object({ memory: z.string() }) }),
    securityContext: z.object({ readOnlyRootFilesystem: z.literal(true) }),
  });
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
  const parsed = Bun.YAML.parse(await opsFile("kubernetes.yaml"));
  const [deployment, service] = documents.parse(parsed);
  const { spec: pod, metadata } = deployment.spec.template;
  const [server] = pod.containers;

  test.skipIf(Bun.which("kubectl") === null)("is what Kubernetes takes", () => expectKubernetes(parsed));

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
