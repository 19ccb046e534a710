import { PubSubError } from "../client/index.ts";
import { command } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit.ts";
import { toggle } from "./flag-kinds.ts";
import type { HttpApi } from "./http-api.ts";
import { pause } from "./pace.ts";
import { Screen, type Key } from "./screen.ts";
import { SERVER, serverOf, type Server } from "./server.ts";
import { TopModel, type TopicDetail } from "./top-model.ts";
import { COLUMNS, plainTable, topicScreen, topicsScreen } from "./top-screen.ts";

const EVERY_MS = 1000;

/** Of how many topics the subscribers are read each time, and how many of them at once. */
const MOST_DETAILS = 100;
const AT_ONCE = 8;

export const top = command({
  name: "top",
  summary: "show topics live: messages a second, subscribers, backlog, drops",
  notes: [
    "Keys: n r m s b d sort by a column, the same again turns it round; arrows or j k choose a topic, Enter opens it, Esc goes back, q or Ctrl-C ends it. Backlog and drops are those of subscribers that are connected, and are read for the first 100 topics in the order that is shown. It needs admin.",
    "Where the output is no terminal it prints the table once, after a second for the rates.",
  ],
  flags: { json: toggle("print a line of JSON for each topic, once"), ...SERVER },
  example: "top --url http://localhost:8000",
  exits: ["done", "failed", "usage", "refused"],
  isEndless: true,
  async run({ flags }, context) {
    const server = serverOf(flags, context);
    const model = new TopModel();
    try {
      // Whoever may not look, or finds nobody, is told so on the terminal as it was.
      await context.orInterrupted(look(server.api, model, undefined));
      if (context.isTerminal && !flags.json) await live(server, model, context);
      else {
        await context.orInterrupted(pause(EVERY_MS, context.signal));
        await context.orInterrupted(look(server.api, model, undefined));
        const lines = flags.json ? model.rows().map((row) => JSON.stringify(row)) : plainTable(model);
        for (const line of lines) await context.print(line);
      }
      return EXIT.done;
    } catch (cause) {
      throw server.failure(cause);
    }
  },
});

/** Shows the model and takes keys, until its user has enough. */
async function live(server: Server, model: TopModel, context: Context): Promise<void> {
  let opened: string | undefined;
  let problem: string | undefined;
  const quit = Promise.withResolvers<void>();
  const draw = () => {
    const { size } = screen;
    const view = { url: server.url, model, size, style: context.style, problem };
    screen.draw(opened === undefined ? topicsScreen(view) : topicScreen(opened, view)).catch(quit.reject);
  };
  const pressed = (key: Key) => {
    const column = COLUMNS.find(({ press }) => press === key);
    if (key === "quit") return quit.resolve();
    if (key === "back") opened = undefined;
    else if (opened !== undefined) return;
    else if (key === "up" || key === "down") model.move(key === "up" ? -1 : 1);
    else if (key === "enter") {
      const rows = model.rows();
      opened = rows[model.selectedIndex(rows)]?.name;
    } else if (column !== undefined) model.sortBy(column.key);
    draw();
  };
  using screen = new Screen(context, { pressed, resized: draw });
  const watch = async () => {
    while (!context.signal.aborted) {
      draw();
      await pause(EVERY_MS, context.signal);
      problem = await look(server.api, model, opened).then(
        () => undefined,
        (cause: unknown) => server.failure(cause).message,
      );
    }
  };
  await Promise.race([watch(), quit.promise]);
  // What is drawn after the terminal is left would stay on it.
  await context.out.flush();
}

/** Asks the server for all that is shown. */
async function look(api: HttpApi, model: TopModel, opened: string | undefined): Promise<void> {
  const [stats, { uptime_sec: uptimeSec }, metrics] = await Promise.all([
    api.stats(),
    api.health(),
    api.metrics().catch(() => new Map<string, number>()),
  ]);
  const at = performance.now();
  const order = [opened, model.selected, ...model.rows().map(({ name }) => name), ...Object.keys(stats)];
  const wanted = new Set(order.filter((name) => name !== undefined && name in stats));
  const names = [...wanted].flatMap((name) => name ?? []).slice(0, MOST_DETAILS);
  model.add({ at, stats, details: await detailsOf(names, api), metrics, uptimeSec });
}

async function detailsOf(names: readonly string[], api: HttpApi): Promise<Map<string, TopicDetail>> {
  const details = new Map<string, TopicDetail>();
  const left = [...names];
  const read = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      try {
        details.set(name, await api.topic(name));
      } catch (cause) {
        // It was deleted meanwhile.
        if (!(cause instanceof PubSubError) || cause.code !== "TOPIC_NOT_FOUND") throw cause;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, read));
  return details;
}
