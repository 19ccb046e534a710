import { expect } from "bun:test";
import { join } from "node:path";
import { z } from "zod";
import { readConfig, settings } from "../../src/config.ts";
import { expectFine } from "../support/expect-fine.ts";
import { tempFolder } from "../support/proxies.ts";

const { port, shutdownGraceMs } = readConfig({}, {});

/** The port that the server listens on if nothing else is said. */
export const PORT = port;

/** How long a shutdown may take. */
export const SHUTDOWN_SECONDS = shutdownGraceMs / 1000;

export const OPS = join(import.meta.dir, "../../src/ops");

/** Expects that each variable is a setting, and that the server takes its value. */
export function expectSettings(env: Record<string, string>): void {
  const known = settings.map(({ variable }) => variable);
  expect(Object.keys(env).filter((name) => !known.includes(name))).toEqual([]);
  expect(() => readConfig({}, env)).not.toThrow();
}

/** `60`, `60s` or `60sec` as a number of seconds. */
export function seconds(text: string): number {
  return Number(/^(\d+)(?:s|sec)?$/.exec(text)?.[1]);
}

/** The value of a line `name value` or `name=value`. */
export function valueOf(text: string, name: string): string {
  const value = new RegExp(`^\\s*${name}[ =](.*?);?$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`There is no ${name}`);
  return value;
}

/** Pairs such as `HOST=127.0.0.1 PORT=8000`. */
export function pairsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(" ").map((pair) => [pair.split("=")[0] ?? "", pair.slice(pair.indexOf("=") + 1)]),
  );
}

/** The lines of a redis.conf that say something. */
export function directivesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** How compose is started; undefined where it is missing. */
export const COMPOSE = [["docker", "compose"], ["docker-compose"]].find((command) => {
  return Bun.which(command[0] ?? "") !== null && Bun.spawnSync([...command, "version"]).exitCode === 0;
});

/** Expects that compose takes a file. */
export async function expectComposed(name: string): Promise<void> {
  await expectFine([...(COMPOSE ?? []), "-f", join(OPS, name), "config", "--quiet"]);
}

const workload = z.looseObject({ kind: z.enum(["Deployment", "StatefulSet"]) });
const printed = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(z.looseObject({ env: z.array(z.looseObject({ name: z.string() })) })),
      }),
    }),
  }),
});

/**
 * Expects that what has a pod template means to Kubernetes' own tool what stands there. Without a cluster it takes it apart
 * only where it is to change it, and leaves out what it does not know.
 */
export async function expectKubernetes(documents: unknown): Promise<void> {
  using folder = tempFolder();
  const workloads = z
    .array(z.unknown())
    .parse(documents)
    .filter((document) => workload.safeParse(document).success);
  expect(workloads.length).toBeGreaterThan(0);
  for (const document of workloads) {
    const file = join(folder.path, "workload.json");
    await Bun.write(file, JSON.stringify(document));
    const command = ["kubectl", "set", "env", "--local", "-f", file, "ADDED=1", "-o", "json"];
    const text = await expectFine(command, { KUBECONFIG: "/dev/null" });
    const understood = printed.parse(JSON.parse(text));
    for (const { env } of understood.spec.template.spec.containers) expect(env.pop()?.name).toBe("ADDED");
    expect(understood).toMatchObject(Object(document));
  }
}
