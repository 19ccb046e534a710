import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { readConfig, settings } from "../../src/config.ts";
import { expectFine } from "../support/expect-fine.ts";
import { caddyEnv, opsFile, skipWithout, tempFolder } from "../support/proxies.ts";
import { RedisServer, withoutRedis } from "../support/redis.ts";
import { COMPOSE, directivesOf, expectComposed, expectKubernetes, expectSettings, OPS, pairsOf } from "./manifests.ts";
import { PORT, seconds, SHUTDOWN_SECONDS, valueOf } from "./manifests.ts";

const { maxMessageBytes } = readConfig({}, {});

describe("Caddyfile-three", async () => {
  const text = await opsFile("Caddyfile-three");

  test.skipIf(skipWithout("caddy"))("is what Caddy takes", async () => {
    using folder = tempFolder();
    const config = join(OPS, "Caddyfile-three");
    await expectFine(["caddy", "validate", "--adapter", "caddyfile", "--config", config], caddyEnv(folder.path));
  });

  test("leads to the three nodes of compose-three.yaml, and asks whether they are ready", () => {
    const nodes = [1, 2, 3].map((number) => `pubsub-${number}:${PORT}`);
    expect(text).toContain(`reverse_proxy ${nodes.join(" ")} {`);
    expect(valueOf(text, "health_uri")).toBe("/readyz");
  });

  test("answers a browser's stream as Caddyfile does while nobody is there", async () => {
    const errors = (config: string) => config.slice(config.indexOf("handle_errors")).replaceAll(/^\s*#.*\n/gm, "");
    expect(errors(text)).toBe(errors(await opsFile("Caddyfile")));
  });
});

describe("redis.conf", async () => {
  const directives = directivesOf(await opsFile("redis.conf"));

  test.skipIf(withoutRedis)("is what Redis takes", async () => {
    const words = directives.map((line) => line.split(" "));
    const options = words.flatMap(([name = "", ...values]) => [
      `--${name}`,
      ...values.map((value) => value.replace('""', "")),
    ]);
    await using redis = await RedisServer.start(...options);
    const config = async (name: string) => Object.values(Object(await redis.send("CONFIG", ["GET", name])))[0];
    expect(await config("maxmemory-policy")).toBe("noeviction");
    expect(await config("maxmemory")).toBe(String(512 * 1024 * 1024));
    expect(await config("appendonly")).toBe("yes");
    expect(await config("client-output-buffer-limit")).toContain(`pubsub ${64 * 1024 * 1024} ${16 * 1024 * 1024} 30`);
  });

  test("has room in a channel for several of the largest messages", () => {
    const [, megabytes] = /^client-output-buffer-limit pubsub (\d+)mb/m.exec(directives.join("\n")) ?? [];
    expect(Number(megabytes) * 1024 * 1024).toBeGreaterThanOrEqual(8 * maxMessageBytes);
  });
});

test("pubsub@.service has the port of its name, which no variable changes, and is as locked up as pubsub.service", async () => {
  const [one, several] = [await opsFile("pubsub.service"), await opsFile("pubsub@.service")];
  const [, flag = "", value = ""] = /^ExecStart=\S+ (--\S+) (\S+)$/m.exec(several) ?? [];
  expect(value).toBe("%i");
  expect(settings.find(({ variable }) => variable === "PORT")?.flag).toBe(flag);
  expect(pairsOf(valueOf(several, "Environment"))["PORT"]).toBeUndefined();
  const locks = (unit: string) => unit.slice(unit.indexOf("DynamicUser"));
  expect(locks(several)).toBe(locks(one));
});

describe("compose-three.yaml", async () => {
  const node = z.strictObject({
    build: z.literal("../.."),
    image: z.string(),
    restart: z.string(),
    depends_on: z.tuple([z.literal("redis")]),
    environment: z.record(z.string(), z.string()),
    networks: z.tuple([z.literal("front"), z.literal("back")]),
    ulimits: z.object({ nofile: z.int() }),
    mem_limit: z.string(),
    stop_grace_period: z.string(),
    read_only: z.literal(true),
    cap_drop: z.tuple([z.literal("ALL")]),
    security_opt: z.tuple([z.string()]),
  });
  const volumes = z.array(z.string());
  const composeSchema = z.object({
    services: z.strictObject({
      "pubsub-1": node,
      "pubsub-2": node,
      "pubsub-3": node,
      proxy: z.object({ volumes, networks: z.tuple([z.literal("front")]), ports: z.tuple([z.string()]) }),
      redis: z.object({
        volumes,
        networks: z.tuple([z.literal("back")]),
        command: z.array(z.string()),
        mem_limit: z.literal("1g"),
      }),
    }),
    networks: z.object({ back: z.object({ internal: z.literal(true) }) }),
  });
  const { services } = composeSchema.parse(Bun.YAML.parse(await opsFile("compose-three.yaml")));
  const { proxy, redis, ...nodes } = services;

  test.skipIf(COMPOSE === undefined)("is what compose takes", () => expectComposed("compose-three.yaml"));

  test("has three nodes that are the same", () => {
    const [first, ...others] = Object.values(nodes);
    for (const other of others) expect(other).toEqual(first!);
  });

  test("sets settings that the server takes, over the Redis of the same file, and gives a shutdown its time", () => {
    const { environment, stop_grace_period: grace } = nodes["pubsub-1"];
    expectSettings(environment);
    expect(environment["ENGINE"]).toBe("redis://redis:6379/0");
    expect(seconds(grace)).toBeGreaterThan(SHUTDOWN_SECONDS);
  });

  test("gives proxy and Redis the files of this folder", async () => {
    const files = [...proxy.volumes, ...redis.volumes].flatMap((volume) => /^\.\/([^:]+):/.exec(volume)?.[1] ?? []);
    expect(files).toEqual(["Caddyfile-three", "redis.conf"]);
    for (const file of files) expect(await Bun.file(join(OPS, file)).exists()).toBe(true);
    expect(redis.command).toEqual(["redis-server", "/etc/redis.conf"]);
    expect(redis.volumes[0]).toBe("./redis.conf:/etc/redis.conf:ro");
    // Caddyfile-three listens on port 80.
    expect(proxy.ports).toEqual([`${PORT}:80`]);
  });
});

const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const labels = z.record(z.string(), z.string());

describe("kubernetes-three.yaml", async () => {
  const secret = z.object({ secretKeyRef: z.object({ name: z.literal("pubsub-redis"), key: z.literal("password") }) });
  const variable = z.union([
    z.strictObject({ name: z.string(), value: z.string() }),
    z.strictObject({ name: z.string(), valueFrom: secret }),
  ]);
  const selector = z.object({ matchLabels: labels });
  const node = z.object({
    name: z.literal("pubsub"),
    ports: z.tuple([z.object({ name: z.string(), containerPort: z.literal(PORT) })]),
    env: z.array(variable),
    lifecycle: z.object({
      preStop: z.object({ exec: z.object({ command: z.tuple([z.literal("sleep"), z.string()]) }) }),
    }),
    livenessProbe: probe,
    readinessProbe: probe,
    securityContext: z.object({ readOnlyRootFilesystem: z.literal(true) }),
  });
  const deploymentSchema = z.object({
    apiVersion: z.literal("apps/v1"),
    kind: z.literal("Deployment"),
    spec: z.object({
      replicas: z.literal(3),
      strategy: z.object({
        type: z.literal("RollingUpdate"),
        rollingUpdate: z.object({ maxUnavailable: z.literal(0), maxSurge: z.literal(1) }),
      }),
      selector,
      template: z.object({
        metadata: z.object({ labels }),
        spec: z.object({ terminationGracePeriodSeconds: z.number(), containers: z.tuple([node]) }),
      }),
    }),
  });
  const budgetSchema = z.strictObject({
    apiVersion: z.literal("policy/v1"),
    kind: z.literal("PodDisruptionBudget"),
    metadata: z.object({ name: z.string() }),
    spec: z.strictObject({ maxUnavailable: z.literal(1), selector }),
  });
  const serviceSchema = z.strictObject({
    apiVersion: z.literal("v1"),
    kind: z.literal("Service"),
    metadata: z.object({ name: z.string() }),
    // Without session affinity.
    spec: z.strictObject({
      selector: labels,
      ports: z.tuple([z.strictObject({ name: z.string(), port: z.int(), targetPort: z.string() })]),
    }),
  });
  const redisSchema = z.object({
    apiVersion: z.literal("apps/v1"),
    kind: z.literal("StatefulSet"),
    spec: z.object({
      serviceName: z.string(),
      replicas: z.literal(1),
      selector,
      template: z.object({
        metadata: z.object({ labels }),
        spec: z.object({
          containers: z.tuple([
            z.object({
              args: z.array(z.string()),
              env: z.array(variable),
              ports: z.tuple([z.object({ name: z.string(), containerPort: z.literal(6379) })]),
              livenessProbe: z.undefined().optional(),
              volumeMounts: z.tuple([z.object({ name: z.string(), mountPath: z.literal("/data") })]),
            }),
          ]),
        }),
      }),
      volumeClaimTemplates: z.tuple([z.object({ metadata: z.object({ name: z.string() }) })]),
    }),
  });
  const documents = z.tuple([deploymentSchema, budgetSchema, serviceSchema, redisSchema, serviceSchema]);
  const parsed = Bun.YAML.parse(await opsFile("kubernetes-three.yaml"));
  const [deployment, budget, service, redis, redisService] = documents.parse(parsed);
  const pod = deployment.spec.template.spec;
  const [server] = pod.containers;
  const [redisServer] = redis.spec.template.spec.containers;

  test.skipIf(Bun.which("kubectl") === null)("is what Kubernetes takes", () => expectKubernetes(parsed));

  test("leads from services, budget and volume to what they are for", () => {
    const own = deployment.spec.template.metadata.labels;
    for (const found of [
      deployment.spec.selector.matchLabels,
      budget.spec.selector.matchLabels,
      service.spec.selector,
    ]) {
      expect(found).toEqual(own);
    }
    const ports = [
      service.spec.ports[0].targetPort,
      server.livenessProbe.httpGet.port,
      server.readinessProbe.httpGet.port,
    ];
    expect(new Set(ports)).toEqual(new Set([server.ports[0].name]));
    const ofRedis = redis.spec.template.metadata.labels;
    expect([redis.spec.selector.matchLabels, redisService.spec.selector]).toEqual([ofRedis, ofRedis]);
    expect(redisService.spec.ports[0].targetPort).toBe(redisServer.ports[0].name);
    expect(redis.spec.serviceName).toBe(redisService.metadata.name);
    expect(redis.spec.volumeClaimTemplates[0].metadata.name).toBe(redisServer.volumeMounts[0].name);
    expect(ofRedis).not.toEqual(own);
  });

  test("asks about Redis to be ready, not to be alive", () => {
    expect([server.livenessProbe.httpGet.path, server.readinessProbe.httpGet.path]).toEqual(["/livez", "/readyz"]);
  });

  test("sets settings that the server takes, with the password of the Secret, and gives a shutdown its time", () => {
    const [password, ...others] = server.env;
    expect(password).toMatchObject({ name: "REDIS_PASSWORD", valueFrom: {} });
    const env = Object.fromEntries(others.map((each) => [each.name, "value" in each ? each.value : ""]));
    expect(env["ENGINE"]).toBe(
      `redis://:$(REDIS_PASSWORD)@${redisService.metadata.name}:${redisService.spec.ports[0].port}/0`,
    );
    expectSettings({ ...env, ENGINE: (env["ENGINE"] ?? "").replace("$(REDIS_PASSWORD)", "00ff") });
    const [, sleep] = server.lifecycle.preStop.exec.command;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(sleep) + SHUTDOWN_SECONDS);
  });

  test("tells Redis what redis.conf tells it, and the password", async () => {
    const [command, password, ...others] = redisServer.args;
    expect([command, password]).toEqual(["redis-server", "--requirepass $(REDIS_PASSWORD)"]);
    expect(redisServer.env[0]).toMatchObject({ name: "REDIS_PASSWORD", valueFrom: {} });
    expect(others).toEqual(directivesOf(await opsFile("redis.conf")).map((line) => `--${line}`));
  });
});
